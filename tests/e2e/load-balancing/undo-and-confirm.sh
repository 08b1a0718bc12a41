#!/bin/bash
# A change is applied once, taken back on request, and takes itself back if
# nobody confirms it.
. "$(dirname "$0")/../lib.sh"
lab_ready lb-render lb-apply
spare=$(other "$(holder)")
sum() { on "$spare" sh -c 'sha256sum /etc/haproxy/*.cfg /etc/keepalived/*.conf' | sha256sum; }
before=$(sum)
daemons=(--haproxy-master "$MASTER" --keepalived-pid /run/keepalived.pid --min-up 2)
sed 's/^load_balancing: {/&health_port: 8405, /' "$STATE/platform.yaml" | lb-render --node "$spare" --json >"$WORK/new"

expect 1 on "$spare" lb-apply plan <"$WORK/new"
says 'map(select(.record == "change")) | length >= 1 and all(.diff != null)'
[ "$(sum)" = "$before" ] || fail "plan changed something"
expect 0 on "$spare" lb-apply apply "${daemons[@]}" <"$WORK/new"
says 'map(select(.record == "step")) | all(.ok) and any(.step == "reload") and any(.step == "verify")'
[ "$(sum)" != "$before" ] || fail "apply changed nothing"
expect 0 on "$spare" lb-apply apply "${daemons[@]}" <"$WORK/new"
[ ! -s "$OUT" ] || fail "the second apply said something"
proved "planned, applied, and the second apply had nothing to do"

expect 0 on "$spare" lb-apply undo "${daemons[@]}"
[ "$(sum)" = "$before" ] || fail "undo did not restore"
proved "undo restored every file byte for byte"

expect 0 on "$spare" lb-apply apply "${daemons[@]}" <"$WORK/new"
on "$spare" sh -c 'echo "# by hand" >>/etc/haproxy/haproxy.cfg'
expect 1 on "$spare" lb-apply undo "${daemons[@]}"
says 'any(.error == "changed-since")'
on "$spare" sed -i '$d' /etc/haproxy/haproxy.cfg
expect 0 on "$spare" lb-apply undo "${daemons[@]}"
proved "undo refuses where somebody else changed the file since"

expect 0 on "$spare" lb-apply apply "${daemons[@]}" --confirm-within 2s <"$WORK/new"
[ "$(sum)" != "$before" ] || fail "apply changed nothing"
restored() { [ "$(sum)" = "$before" ]; }
within 10 restored
within 15 gone "$spare" lb-apply
proved "not confirmed, the change was taken back by itself"

expect 0 on "$spare" lb-apply apply "${daemons[@]}" --confirm-within 5s <"$WORK/new"
expect 0 on "$spare" lb-apply confirm
sleep 6
[ "$(sum)" != "$before" ] || fail "a confirmed change was taken back"
proved "confirmed, it stayed"
expect 0 on "$spare" lb-apply undo "${daemons[@]}"

# Valid for haproxy, dead for clients: only the verification can see it.
lb-render "$STATE/platform.yaml" --node "$spare" --json | jq -r 'select(.record == "file" and (.path | endswith("haproxy.cfg"))).content' |
  sed -E 's/:6443( |$)/:6444\1/' >"$WORK/dead.cfg"
jq -c --rawfile content "$WORK/dead.cfg" --arg sum "$(sha256sum <"$WORK/dead.cfg" | cut -d' ' -f1)" \
  'if .record == "file" and (.path | endswith("haproxy.cfg")) then .content = $content | .sha256 = $sum else . end' "$WORK/new" >"$WORK/dead"
expect 1 on "$spare" lb-apply apply "${daemons[@]}" --verify-timeout 5s <"$WORK/dead"
says 'any(.error == "rolled-back")'
[ "$(sum)" = "$before" ] || fail "not rolled back"
proved "a configuration without a living backend was rolled back"
healthy
