#!/bin/bash
# keepalived and its children are killed: the address stays on the dead
# holder while the other takes it too. vip-status sees it, release cleans up.
. "$(dirname "$0")/../lib.sh"
lab_ready vip-status
first=$(holder) second=$(other "$first")

lab break keepalived-killed "$first"
within 5 both_hold
expect 1 on cl vip-status --vip "$VIP4" --iface eth0 --arp
says '.[0] | .record == "vip" and .verdict == "duplicate" and (.holders | length) == 2'
proved "a client sees two holders: duplicate"

expect 1 on "$first" vip-status --vip "$VIP4" --iface eth0
says '.[0] | (.verdict == "duplicate" or .verdict == "stale") and .local'
proved "$first sees that it holds an address no keepalived owns"

expect 1 on "$second" vip-status release plan --vip "$VIP4" --iface eth0
proved "release refuses on $second, whose keepalived lives"

expect 1 on "$first" vip-status release plan --vip "$VIP4" --iface eth0
says 'map(select(.record == "change")) | length == 1'
held_by "lb1 lb2" || fail "plan changed something"
expect 0 on "$first" vip-status release apply --vip "$VIP4" --iface eth0
held_by "$second" || fail "the address is on: $(holders "$VIP4" | xargs)"
expect 0 on "$first" vip-status release apply --vip "$VIP4" --iface eth0
says 'length == 0'
proved "release took it off $first; the second time there is nothing to do"

expect 0 on cl vip-status --vip "$VIP4" --iface eth0 --arp
says '.[0] | .verdict == "one" and (.holders | length) == 1'
healthy
