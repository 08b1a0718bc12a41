#!/bin/bash
# The holder is cut off while its carrier stays: it cannot know.
. "$(dirname "$0")/../lib.sh"
lab_ready ha-vipcheck
first=$(holder) second=$(other "$first")

lab break partition "$first"
within 5 on cl sh -c "curl -fsS -o /dev/null --max-time 0.5 --cacert $STATE/pki/ca.crt https://$VIP4:6443/readyz"
[[ " $(holders "$VIP4" | xargs) " == *" $second "* ]] || fail "$second did not take the address"
proved "$second took the address, and the API answers"

within 15 held_by "$second"
proved "$first, which reaches no API server, gave it up by itself"

healthy
[ "$(holders "$VIP4" | wc -l)" = 1 ] || fail "two holders after the partition"
proved "one holder after the partition"
