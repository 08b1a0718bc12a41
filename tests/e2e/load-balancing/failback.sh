#!/bin/bash
# The better balancer returns: without preemption the address stays, with it
# the address goes back, and one holder is left either way.
. "$(dirname "$0")/../lib.sh"
lab_ready lb-render lb-apply
[ "$(holder)" = lb1 ] || { lab break keepalived-stopped lb2; within 5 held_by lb1; healthy; }

lab break keepalived-stopped lb1
within 5 held_by lb2
lab heal lb1
lab settle
sleep 1
held_by lb2 || fail "the address went back"
proved "without preemption a returning lb1 leaves the address on lb2"

cp "$STATE/platform.yaml" "$WORK/before.yaml"
sed -i 's/^load_balancing: {/&preempt: true, /' "$STATE/platform.yaml"
expect 0 reapply lb2
expect 0 reapply lb1
within 10 held_by lb1
lab settle || fail "unsettled with preemption"
proved "preempt: true, applied to both: lb1 took the address back"

lab break keepalived-stopped lb1
within 5 held_by lb2
lab heal lb1
within 10 held_by lb1
ask_vip || fail "the API does not answer"
proved "with preemption a returning lb1 takes it back"

cp "$WORK/before.yaml" "$STATE/platform.yaml"
expect 0 reapply lb2
expect 0 reapply lb1
healthy
