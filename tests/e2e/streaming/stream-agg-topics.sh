#!/bin/bash
# stream-agg between topics of a real broker: killed at random moments, shared by three, fenced; DuckDB judges.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=scripts/lib/oracles.sh
. "$ROOT/scripts/lib/oracles.sh"
# shellcheck source=scripts/lib/kafka.sh
. "$ROOT/scripts/lib/kafka.sh"
need_duckdb || skip "DuckDB is missing"
need_kafka || skip "Kafka is missing"
PATH=$BAREPLANE_BIN:$PATH
PIDS=()
trap 'status=$?; stop_all; kafka_down "$WORK/kafka"; story_end $status' EXIT
stop_all() { [ ${#PIDS[@]} = 0 ] || kill -KILL "${PIDS[@]}" 2>/dev/null || true; }
cd "$WORK"
ROWS=${ROWS:-200000} ROUNDS=10
[ -z "${SOAK:-}" ] || ROUNDS=100
"$DUCKDB" "$ROOT/tests/oracles/windows.py" make rows "$ROWS"
kafka_up "$WORK/kafka"
kafka_topic V 7
# A row's partition is its field seven; what is broken comes in last, where any comes. Writers
# that are not idempotent, as kcat, change the order when brokers are slow.
for n in 0 1 2 3 4 5 6; do
  grep -a "\"seven\": $n," rows | grep -a '}$' >"rows.$n"
  kafka-relay --brokers "$KAFKA" --raw --to topic:V --partitioner "$n" <"rows.$n"
  kcat -b "$KAFKA" -C -t V -p "$n" -e -q | cmp - "rows.$n" || fail "partition $n is in another order"
done
grep -av '}$' rows | kcat -b "$KAFKA" -P -t V -p 0 || true

WORDS=(--window tumbling:1m --time ts --watermark 5s --key country
  --agg "n=count,sum=sum:amount,min=min:amount,max=max:amount,first=first:ts,last=last:ts,sevens=distinct:seven")
# aggregate NAME [FLAG…]: from V to the topic of that name. With EXEC=exec it takes the place of
# its shell: what is killed then is the command itself.
aggregate() {
  local name=$1
  shift
  ${EXEC:-} stream-agg "${WORDS[@]}" --brokers "$KAFKA" --from topic:V --to "topic:$name" --late "topic:$name.late" \
    --reject "topic:$name.reject" --group "$name" --until end --at-eof flush --commit-every 50ms --commit-rows 5000 "$@" \
    --kafka-config session.timeout.ms=6000 --kafka-config heartbeat.interval.ms=500
}
topics_of() { for name in "$1" "$1.late" "$1.reject"; do kafka_topic "$name" 3; done; }
# What a reader sees who sees what was committed.
read_topic() { kcat -b "$KAFKA" -C -t "$1" -e -q -X isolation.level=read_committed; }
judged() {
  local late=$1.late
  read_topic "$1" >"$1.out"
  read_topic "$late" >"$1.late"
  "$DUCKDB" "$ROOT/tests/oracles/windows.py" judge rows "$1.out" "$1.late" partitions >"$OUT" 2>&1 || return 1
  [ "$(read_topic "$1.reject" | sort | md5sum)" = "$(grep -av '}$' rows | sort | md5sum)" ] || { echo "other rows were rejected" >"$OUT" && return 1; }
}
judge() { judged "$1" || fail "not what DuckDB says"; }

topics_of once
expect 0 aggregate once
complains "$ROWS in = "
judge once
proved "DuckDB has the same groups, sums and late rows: $(cat "$OUT")"

expect 0 aggregate once
[ ! -s "$ERR" ] || fail "it found rows again"
judge once
proved "a second run finds nothing to do, and changes nothing"

kcat -b "$KAFKA" -C -t V -e -q -f '{"record":"message","topic":"%t","partition":%p,"offset":%o,"value":%s}\n' >messages
status=0
stream-agg "${WORDS[@]}" --envelope --partitions 7 --late piped.late --reject piped.reject messages >piped.out 2>"$ERR" || status=$?
[ "$status" = 0 ] || fail "status $status"
for part in out late; do
  jq -cS 'if .record then .value else . end' "piped.$part" | sort >piped.sorted
  jq -cS . "once.$part" | sort | cmp - piped.sorted || fail "on standard input $part is another"
done
proved "the same messages on standard input give equal rows, late ones included"

kills=0 halfway=0 lap=0 all=$(wc -l <once.late)
told() { read_topic "killed$lap.late" | wc -l; }
# Each lap is a group of its own with topics of its own.
next_lap() {
  lap=$((lap + 1)) come=0
  topics_of "killed$lap"
}
lap_ends() {
  expect 0 aggregate "killed$lap" --txn-id killed
  judge "killed$lap"
}
next_lap
for round in $(seq "$ROUNDS"); do
  EXEC="exec" aggregate "killed$lap" --txn-id killed >"$OUT" 2>"$ERR" &
  pid=$!
  # Every third is killed at once, the others when some of their work is done.
  [ $((round % 3)) = 0 ] || within 60 eval '[ "$(told)" -gt "$come" ] || ! kill -0 "$pid"'
  sleep "$(awk -v dice="$RANDOM" 'BEGIN {print 0.3 * dice / 32768}')"
  if kill -KILL "$pid" 2>/dev/null; then kills=$((kills + 1)); fi
  wait "$pid" 2>/dev/null || true
  come=$(told)
  if [ "$come" -gt 0 ] && [ "$come" -lt "$all" ]; then halfway=$((halfway + 1)); fi
  if [ "$come" = "$all" ]; then
    lap_ends
    next_lap
  fi
done
lap_ends
[ "$halfway" -gt 0 ] || fail "none of $kills kills came between the first late row and the last"
proved "killed $kills times in $lap laps, $halfway of them halfway: $(cat "$OUT")"

topics_of shared
for n in 1 2 3; do
  EXEC="exec" aggregate shared --txn-id "shared$n" >"$WORK/shared$n.out" 2>"$WORK/shared$n.err" &
  PIDS+=($!)
done
# One of them dies on the way, another comes.
within 60 eval '[ "$(read_topic shared.late | wc -l)" -gt 0 ]'
{ kill -KILL "${PIDS[0]}" && wait "${PIDS[0]}"; } 2>/dev/null || true
aggregate shared --txn-id shared4 >"$OUT" 2>"$ERR" || fail "the fourth fails"
for n in 2 3; do
  status=0
  wait "${PIDS[n - 1]}" || status=$?
  [ "$status" = 0 ] || fail "number $n ends with status $status: $(cat "$WORK/shared$n.err")"
done
judge shared
proved "shared by three, one of them killed, a fourth in its place: $(cat "$OUT")"

topics_of twins
twin() {
  ${EXEC:-} stream-agg "${WORDS[@]}" --brokers "$KAFKA" --from topic:V --to topic:twins --late topic:twins.late --reject topic:twins.reject \
    --txn-id twin --commit-every 100ms "$@"
}
EXEC="exec" twin --group twin1 >"$WORK/twin.out" 2>"$WORK/twin.err" &
PIDS=($!)
within 60 eval '[ "$(read_topic twins.late | wc -l)" -gt 0 ]'
expect 0 twin --group twin2 --until end
grep -m1 '"seven": 1,' rows | kcat -b "$KAFKA" -P -t V -p 1
status=0
wait "${PIDS[0]}" || status=$?
PIDS=()
[ "$status" = 1 ] || fail "status $status, not 1, of one that was fenced"
grep -q 'fenced' "$WORK/twin.err" || fail "it does not say that it was fenced: $(cat "$WORK/twin.err")"
proved "one with the same transactional id is fenced: status 1"

expect 2 stream-agg "${WORDS[@]}" --brokers "$KAFKA" --from topic:none --to topic:once --group g
complains 'no topic none'
expect 2 stream-agg --window tumbling:2m --time ts --watermark 5s --agg n=count --brokers "$KAFKA" --from topic:V --to topic:once --group once --until end
complains 'another --group begins anew'
kafka_kill "$WORK/kafka" 1
expect 3 stream-agg "${WORDS[@]}" --brokers "$KAFKA" --from topic:V --to topic:once --group g --timeout 2s
proved "no such topic and another question are status 2, brokers that are gone status 3"
