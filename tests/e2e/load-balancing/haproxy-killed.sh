#!/bin/bash
# haproxy dies on the balancer that holds the address: the other takes it.
. "$(dirname "$0")/../lib.sh"
lab_ready ha-vipcheck
first=$(holder) second=$(other "$first")

lab break haproxy-killed "$first"
within 5 held_by "$second"
within 5 ask_vip
proved "the address moved from $first to $second, and the API answers"

expect 1 check_on "$first"
says '.[0] | .record == "vip-check" and .ok == false and .checks[0].phase == "connect"'
expect 0 check_on "$second"
says '.[0] | .ok and .vip.local'
proved "ha-vipcheck says no on $first, and why; yes on $second"

healthy
held_by "$second" || fail "the address went back to $first"
proved "$first is healthy again and leaves the address on $second"
