#!/bin/bash
# haproxy hangs (SIGSTOP): its ports still accept, nothing answers.
. "$(dirname "$0")/../lib.sh"
lab_ready ha-vipcheck
first=$(holder) second=$(other "$first")

lab break haproxy-hung "$first"
within 10 held_by "$second"
within 5 ask_vip
proved "the address moved from $first to $second, and the API answers"

expect 1 check_on "$first" --timeout 300ms
says '.[0] | .ok == false and (.elapsed_ms < 2000)'
proved "ha-vipcheck on $first gives up in time and says no"

healthy
held_by "$second" || fail "the address went back to $first"
proved "$first answers again and leaves the address on $second"
