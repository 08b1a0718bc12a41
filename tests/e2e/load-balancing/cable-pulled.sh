#!/bin/bash
# The holder's switch port goes down: it loses carrier.
. "$(dirname "$0")/../lib.sh"
lab_ready ha-vipcheck
first=$(holder) second=$(other "$first")

lab break carrier "$first"
within 5 held_by "$second"
within 5 ask_vip
proved "the address moved from $first to $second, and the API answers"

healthy
held_by "$second" || fail "the address is on: $(holders "$VIP4" | xargs)"
proved "plugged in again, $first leaves the address where it is"
