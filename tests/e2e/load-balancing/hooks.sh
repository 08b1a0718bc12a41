#!/bin/bash
# keepalived calls us: it follows the file that ha-vipcheck writes, runs
# ha-vipcheck as a script, and tells ha-notify what happens.
. "$(dirname "$0")/../lib.sh"
lab_ready lb-render lb-apply ha-vipcheck ha-notify
[ "$(holder)" = lb1 ] || { lab break keepalived-stopped lb2; within 5 held_by lb1; healthy; }
events() { grep '^{' "$STATE/$1/ha-notify.log" | jq -cs 'map(select(.record == "vrrp-event" and .scope == "instance" and (.to | test("_") | not)))'; }
log_since() { tail -n "+$2" "$STATE/$1/keepalived.log"; }
lines() { wc -l <"$STATE/$1/keepalived.log"; }

on lb1 grep -q track_file /etc/keepalived/keepalived.conf || fail "no track_file in keepalived.conf"
[ "$(on lb1 cat "$TRACK")" = 0 ] || fail "the track file does not say 0"
from=$(lines lb1)
lab break haproxy-killed lb1
within 5 held_by lb2
[ "$(on lb1 cat "$TRACK")" = 1 ] || fail "the track file does not say 1"
log_since lb1 "$from" | grep 'Entering FAULT STATE' >"$OUT" || fail "keepalived on lb1 did not go to fault"
proved "haproxy died, ha-vipcheck wrote 1, keepalived went to fault"

is_master() { events lb2 | jq -e '.[-1].to == "master"'; }
is_fault() { events lb1 | jq -e '.[-1].to == "fault"'; }
within 3 is_master
within 3 is_fault
proved "ha-notify: lb1 went to fault, lb2 to master"
healthy
is_backup() { events lb1 | jq -e '.[-1].to == "backup"'; }
within 3 is_backup
events lb1 | jq -e '[.[1:], .[:-1]] | transpose | all(.[0].from == .[1].to)' >/dev/null || fail "events of lb1 do not follow each other: $(events lb1)"
proved "ha-notify: every event begins where the one before ended"

expect 0 on lb1 ha-vipcheck --track-age "$TRACK" --max-age 3s
proved "the dead-man check finds the track file fresh"

# The script form.
cp "$STATE/platform.yaml" "$WORK/before.yaml"
sed -i 's/check: {mode: track-file}/check: {mode: script, interval_ms: 1000}/' "$STATE/platform.yaml"
from=$(lines lb2)
for node in lb1 lb2; do expect 0 reapply $node; done
healthy
! log_since lb2 "$from" | grep 'Respawning' >"$OUT" || fail "keepalived did not survive the reload"
script_ran() { log_since lb2 "$from" | grep -E 'VRRP_Script\(.*succeeded|Script .* (now returning|succeeded)'; }
on lb2 grep -q 'ha-vipcheck' /etc/keepalived/keepalived.conf || fail "no ha-vipcheck in keepalived.conf"
within 5 script_ran
first=$(holder) second=$(other "$first")
lab break haproxy-killed "$first"
within 8 held_by "$second"
proved "with check mode script, keepalived ran ha-vipcheck, and the address moved"

healthy
cp "$WORK/before.yaml" "$STATE/platform.yaml"
for node in lb1 lb2; do expect 0 reapply $node; done
healthy
