#!/bin/bash
# stream-agg is killed at ten random moments: windows, late rows and rejects are those of one run, and DuckDB's.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=scripts/lib/oracles.sh
. "$ROOT/scripts/lib/oracles.sh"
need_duckdb || skip "DuckDB is missing"
PATH=$BAREPLANE_BIN:$PATH
cd "$WORK"
"$DUCKDB" "$ROOT/tests/oracles/windows.py" make rows 400000

WORDS=(--window tumbling:1m --time ts --watermark 5s --key country
  --agg "n=count,sum=sum:amount,min=min:amount,max=max:amount,first=first:id,last=last:id,sevens=distinct:seven" rows)
# What a run of that name writes, and where it keeps its state.
outputs() { echo --out "$1.out" --late "$1.late" --reject "$1.reject"; }
state() { echo --checkpoint "$1.cp" --checkpoint-every 20ms; }
# shellcheck disable=SC2046 # words without spaces
aggregate() { stream-agg "${WORDS[@]}" $(outputs "$1"); }
# shellcheck disable=SC2046
kept() { stream-agg "${WORDS[@]}" $(outputs "$1") $(state "$1"); }

expect 0 aggregate once
expect 0 "$DUCKDB" "$ROOT/tests/oracles/windows.py" judge rows once.out once.late
proved "DuckDB has the same groups, sums and late rows: $(cat "$OUT")"

expect 0 kept whole
cmp once.out whole.out || fail "checkpoints change the output"

# Killed as soon as a new checkpoint is there, and a moment later.
halfway=0
newer() { [ "$(stat -c %i killed.cp 2>/dev/null)" != "$before" ] || ! kill -0 "$pid" 2>/dev/null; }
for _ in 1 2 3 4 5 6 7 8 9 10; do
  before=$(stat -c %i killed.cp 2>/dev/null || true)
  # shellcheck disable=SC2046
  stream-agg "${WORDS[@]}" $(outputs killed) $(state killed) >"$OUT" 2>"$ERR" &
  pid=$!
  within 60 newer
  sleep "$(awk -v dice="$RANDOM" 'BEGIN {print 0.03 * dice / 32768}')"
  kill -KILL "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  if [ -s killed.cp ] && [ "$(stat -c %s killed.out)" -lt "$(stat -c %s once.out)" ]; then halfway=$((halfway + 1)); fi
done
[ "$halfway" -ge 1 ] || fail "only $halfway of ten kills came between the first checkpoint and the end"
expect 0 kept killed
complains "400000 in = "
for output in out late reject; do cmp "once.$output" "killed.$output" || fail "$output differs after ten kills"; done
expect 0 "$DUCKDB" "$ROOT/tests/oracles/windows.py" judge rows killed.out killed.late
proved "killed ten times, $halfway of them halfway: byte for byte what one run makes"

before=$(stat -c '%Y %s' killed.out)
expect 0 kept killed
[ "$(stat -c '%Y %s' killed.out)" = "$before" ] || fail "a run after the last one changed the output"
proved "a run that was complete changes nothing"

kept held >"$WORK/held.log" 2>&1 &
pid=$!
within 10 test -e held.cp.lock
if kill -0 "$pid" 2>/dev/null; then
  status=0
  kept held >"$OUT" 2>"$ERR" || status=$?
  if kill -0 "$pid" 2>/dev/null; then [ "$status" = 3 ] || fail "status $status, not 3, with the checkpoint held"; fi
fi
wait "$pid" || fail "the run that held the checkpoint failed: $(cat "$WORK/held.log")"
cmp once.out held.out || fail "two runs at once spoilt the output"
proved "of two runs at once one has the checkpoint, the other is told so"

head -c 20000000 rows >growing
grown() {
  stream-agg --window session:200ms --time ts --watermark 5s --key country --agg n=count,sum=sum:amount \
    --reject grown.reject --out grown.out --checkpoint grown.cp "$@" growing
}
expect 0 grown --at-eof keep
tail -c +20000001 rows >>growing
expect 0 grown --at-eof keep
expect 0 grown
expect 0 stream-agg --window session:200ms --time ts --watermark 5s --key country --agg n=count,sum=sum:amount \
  --reject whole.reject --out sessions.out rows
cmp grown.out sessions.out || fail "an input that grew gives other sessions"
proved "sessions over an input that grew, cut in the middle of a line, are those of the whole"

printf '%s\n' '{"ts":"2026-01-02T00:00:00Z"}' >>growing
expect 2 grown
complains "has grown since its windows were closed"
sed -i '1s/SE/XX/;1s/DE/XX/;1s/FR/XX/' rows && truncate -s 100 rows
expect 2 kept killed
complains "not the input the checkpoint is of"
proved "an input that is another one, or that grew after its end, is refused"

# Through a pipe rows come as soon as they are final; a signal ends the run.
mkfifo pipe
stream-agg --window tumbling:1s --time t --time-unit s --watermark 0s --agg count --out piped pipe 2>"$ERR" &
pid=$!
exec 7>pipe
printf '{"t":0}\n{"t":5}\n' >&7
within 5 test -s piped
kill "$pid"
status=0
wait "$pid" || status=$?
[ "$status" = 3 ] || fail "status $status, not 3, after a signal"
complains interrupted
proved "rows come out while the input goes on; a signal is told"

# By id every row is two groups of its own.
"$DUCKDB" "$ROOT/tests/oracles/windows.py" make many.rows 200000
need time=time || skip "time is missing"
many() { stream-agg --window hop:1h,30m --time ts --watermark 5s --key id --agg "n=count,sum:amount,first:country" --reject /dev/null "$@" many.rows; }
many --threads 2 >in-memory 2>"$ERR"
/usr/bin/time -f %M -o spilled.kib "$BASH" -c "$(declare -f many); many --max-state 2MiB --threads 1" >spilled 2>"$ERR" || fail "$(cat "$ERR")"
cmp in-memory spilled || fail "spilled windows are others"
/usr/bin/time -f %M -o whole.kib "$BASH" -c "$(declare -f many); many --threads 1" >/dev/null 2>"$ERR"
[ "$(($(cat spilled.kib) * 2))" -lt "$(cat whole.kib)" ] || fail "$(cat spilled.kib) KiB with spilling, $(cat whole.kib) without"
proved "windows that do not fit: the same rows in $(cat spilled.kib) KiB that take $(cat whole.kib) in memory"

# With a checkpoint what was spilled stays, too: killed as soon as a new one is there, again and again.
ROUNDS=10
[ -z "${SOAK:-}" ] || ROUNDS=100
MANY=(stream-agg --window 'hop:1h,30m' --time ts --watermark 5s --key id --agg "n=count,sum:amount,first:country" many.rows)
spilling=("${MANY[@]}" --max-state 2MiB --checkpoint spilled.cp --checkpoint-every 50ms --out spilled.out --reject spilled.reject)
place() { stat -c %i spilled.cp 2>/dev/null || true; }
went_on() { [ "$(place)" != "$before" ] || ! kill -0 "$pid" 2>/dev/null; }
HALVED=("${MANY[@]}" --checkpoint half.cp --out half.out --reject half.reject)
spilled=0
for _ in $(seq "$ROUNDS"); do
  before=$(place)
  "${spilling[@]}" 2>"$ERR" &
  pid=$!
  within 60 went_on
  kill -KILL "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  [ -s spilled.cp.spool ] || continue
  spilled=$((spilled + 1))
  # The first checkpoint that needs the file beside it is kept.
  [ ! -e half.spool ] || continue
  for part in cp out reject; do cp "spilled.$part" "half.$part"; done
  cp spilled.cp.spool half.cp.spool
  status=0
  "${HALVED[@]}" >"$OUT" 2>"$ERR" || status=$?
  [ "$status" = 0 ] || mv half.cp.spool half.spool
done
[ "$spilled" -ge 1 ] || fail "nothing was spilled at any of $ROUNDS kills"
[ -e half.spool ] || fail "no checkpoint of $ROUNDS needs what was spilled"
: >half.cp.spool
expect 2 "${HALVED[@]}"
complains "give --max-state as before"
expect 2 "${HALVED[@]}" --max-state 2MiB
complains "not the file the checkpoint is of"
expect 0 "${spilling[@]}"
cmp in-memory spilled.out || fail "spilled windows are others after $ROUNDS kills"
proved "spilled windows and checkpoints: killed $ROUNDS times, $spilled of them with something spilled, the rows are the same"
