#!/bin/bash
# A second virtual address, IPv6, added to a running pair by one document; it
# fails over like the first, and both stay together.
. "$(dirname "$0")/../lib.sh"
lab_ready lb-render lb-apply vip-status
cp "$STATE/platform.yaml" "$WORK/before.yaml"
sed -i "s/vips: .*/vips: [$VIP4, '$VIP6']/" "$STATE/platform.yaml"
for node in lb1 lb2; do expect 0 reapply "$node"; done
healthy

ask_vip6() { on cl curl -fsS -o /dev/null --max-time 0.5 --cacert "$STATE/pki/ca.crt" "https://[$VIP6]:6443/readyz"; }
together() { [ "$(holders "$VIP4" | xargs)" = "$1" ] && [ "$(holders "$VIP6" | xargs)" = "$1" ]; }
first=$(holder) second=$(other "$first")
within 10 together "$first"
within 5 ask_vip6
proved "$first holds both addresses, and the API answers on $VIP6"

expect 0 on cl vip-status --vip "$VIP6" --iface eth0
says '.[0] | .verdict == "one" and (.holders | length) == 1'
proved "vip-status finds the one holder by neighbour discovery"

lab break haproxy-killed "$first"
within 5 together "$second"
within 5 ask_vip6
within 5 ask_vip
proved "both addresses moved to $second, and both answer"
lab heal && lab settle 30

first=$second second=$(other "$first")
lab break keepalived-killed "$first"
both6() { [ "$(holders "$VIP6" | wc -l)" = 2 ]; }
within 5 both6
expect 1 on cl vip-status --vip "$VIP6" --iface eth0
says '.[0] | .verdict == "duplicate" and (.holders | length) == 2'
for vip in "$VIP4" "$VIP6"; do expect 0 on "$first" vip-status release apply --vip "$vip" --iface eth0; done
together "$second" || fail "release left an address on $first"
proved "keepalived killed: two holders of the IPv6 address seen, and cleaned"
lab heal && lab settle 30

cp "$WORK/before.yaml" "$STATE/platform.yaml"
for node in lb1 lb2; do expect 0 reapply "$node"; done
healthy
[ -z "$(holders "$VIP6")" ] || fail "the IPv6 address was left behind"
proved "taken out of the document, the IPv6 address is gone"
