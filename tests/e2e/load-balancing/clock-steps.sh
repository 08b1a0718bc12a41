#!/bin/bash
# The clock jumps by an hour, forth and back, under the watcher: nothing
# happens. Namespaces cannot shift the wall clock, so libfaketime does.
. "$(dirname "$0")/../lib.sh"
lab_ready ha-vipcheck
library=$(find /usr/lib -name libfaketime.so.1 2>/dev/null | head -1)
[ -n "$library" ] || skip "faketime is missing"

watcher="$WORK/watch.ndjson"
echo "+0" >"$WORK/clock"
LD_PRELOAD=$library FAKETIME_TIMESTAMP_FILE=$WORK/clock FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1 \
  on lb1 ha-vipcheck --watch --interval 100ms --rise 2 --fall 2 --track-file /run/bareplane/stepped.track \
  --url https://127.0.0.1:6443/readyz --cacert "$CA" --server-name kubernetes >"$watcher" 2>"$ERR" &
pid=$!
trap 'kill $pid 2>/dev/null || true; story_end 1' EXIT
value() { on lb1 cat /run/bareplane/stepped.track; }
is_good() { [ "$(value)" = 0 ]; }
within 5 is_good
lines=$(wc -l <"$watcher")

for step in +7200 +3600 +0 +3600; do
  echo "$step" >"$WORK/clock"
  for _ in 1 2 3 4 5; do
    sleep 0.1
    is_good || fail "a step of $step s made the track file say $(value)"
  done
  touched=$(on lb1 stat -c %y /run/bareplane/stepped.track)
  sleep 0.3
  [ "$(on lb1 stat -c %y /run/bareplane/stepped.track)" != "$touched" ] || fail "the heartbeat stopped after a step of $step s"
done
[ "$(wc -l <"$watcher")" = "$lines" ] || fail "a step was taken for a change: $(tail -1 "$watcher")"
proved "steps of an hour, forth and back: no change, and the heartbeat goes on"

signal lb1 nothing TERM
kill "$pid"
wait "$pid" || true
trap 'story_end $?' EXIT
healthy
