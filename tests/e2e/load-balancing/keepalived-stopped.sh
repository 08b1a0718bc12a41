#!/bin/bash
# keepalived is stopped on the holder, as by systemctl stop.
. "$(dirname "$0")/../lib.sh"
lab_ready ha-vipcheck
first=$(holder) second=$(other "$first")

lab break keepalived-stopped "$first"
within 5 held_by "$second"
ask_vip || fail "the API does not answer"
proved "the address moved from $first to $second, and the API answers"

healthy
held_by "$second" || fail "the address went back to $first"
proved "started again, $first leaves the address on $second"
