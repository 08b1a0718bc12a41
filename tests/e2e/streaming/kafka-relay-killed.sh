#!/bin/bash
# kafka-relay is killed at random moments: with --eos a reader of what is committed finds each message once; without it none is missing.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=scripts/lib/oracles.sh
. "$ROOT/scripts/lib/oracles.sh"
# shellcheck source=scripts/lib/kafka.sh
. "$ROOT/scripts/lib/kafka.sh"
need_kafka || skip "Kafka is missing"
PATH=$BAREPLANE_BIN:$PATH
ROUNDS=10
[ -z "${SOAK:-}" ] || ROUNDS=100
MESSAGES=200000
trap 'status=$?; kafka_down "$WORK"; story_end $status' EXIT
kafka_up "$WORK" || fail "Kafka does not come up"
cd "$WORK"
for topic in V X Y; do kafka_topic "$topic" 4; done

relay() { timeout 100 kafka-relay --brokers "$KAFKA" "$@"; }
# Everything in a topic, as a reader of what is committed sees it.
all() { relay --raw --until end --from "topic:$1" | LC_ALL=C sort; }
seen_by_kcat() { kcat -b "$KAFKA" -C -t "$1" -e -q -X isolation.level=read_committed | LC_ALL=C sort; }
count() { seen_by_kcat "$1" | wc -l; }
random() { awk -v dice="$RANDOM" -v most="$1" 'BEGIN {print most * dice / 32768}'; }

seq "$MESSAGES" | awk '{printf "{\"id\":%d,\"text\":\"some words that make it longer\"}\n", $1}' | LC_ALL=C sort >rows
expect 0 relay --raw --key id --to topic:V <rows
all V | cmp - rows || fail "topic V does not hold the rows"

# begun WORDS…: a relay that is to be killed, in $PID. Not a function in the
# background: what is killed then would be the shell that runs it.
begun() {
  kafka-relay --brokers "$KAFKA" "$@" >>killed.out 2>"$ERR" &
  PID=$!
}
kill_it() { { kill -KILL "$PID" && wait "$PID"; } 2>/dev/null || true; }

# Each lap copies V as a group of its own to a topic of its own, and needs some kills for it.
lap=0 come=0
next_lap() {
  lap=$((lap + 1)) come=0
  kafka_topic "W$lap" 4
  EXACTLY=(--from topic:V --to "topic:W$lap" --group "copy$lap" --eos --txn-id copy-1 --until end --commit-every 100ms)
}
lap_ends() {
  expect 0 relay "${EXACTLY[@]}" -v
  all "W$lap" | cmp - rows || fail "W$lap differs from V"
  seen_by_kcat "W$lap" | cmp - rows || fail "kcat finds something else in W$lap"
}
next_lap
for round in $(seq "$ROUNDS"); do
  begun "${EXACTLY[@]}" --rate 30000/s
  # Every third is killed at once, the others when some of their work is done.
  [ $((round % 3)) = 0 ] || within 30 eval '[ "$(count "W$lap")" -gt "$come" ]'
  sleep "$(random 0.4)"
  kill_it
  come=$(count "W$lap")
  if [ "$come" -gt $((MESSAGES * 2 / 3)) ]; then
    lap_ends
    next_lap
  fi
done
lap_ends
proved "killed $ROUNDS times, in $lap laps: every message is in W once"
expect 0 relay "${EXACTLY[@]}" -v
complains "0 in = 0 out"
proved "a run after the last one moves nothing"

for _ in 1 2 3; do
  begun --raw --from topic:V --group print --until end --rate 100000/s --commit-every 50ms
  sleep "$(random 0.9)"
  kill_it
  # What comes next begins a line of its own.
  echo >>killed.out
done
relay --raw --from topic:V --group print --until end >>killed.out
# A line cut by a kill was not committed: it comes again, whole.
LC_ALL=C sort -u killed.out | LC_ALL=C comm -13 - rows | cmp - /dev/null || fail "messages are missing on standard output"
: >killed.out
proved "offsets are committed after standard output: nothing is missing from it"

# One of two that share a group dies: the other one has not come to the end with its own share.
begun --raw --from topic:V --group share --rate 1000/s
within 60 test -s killed.out
kafka-relay --brokers "$KAFKA" --raw --from topic:V --group share --until end >shared.out 2>"$ERR" &
other=$!
within 60 test -s shared.out
sleep "$(random 0.9)"
kill_it
echo >>killed.out
wait "$other" || fail "the one that lives answers $?"
cat killed.out >>shared.out
LC_ALL=C sort -u shared.out | LC_ALL=C comm -13 - rows | cmp - /dev/null || fail "messages of the dead one are missing"
proved "--until end is the end of what the group reads: what a dead member had is read as well"

for _ in 1 2 3; do
  begun --raw --key id --to topic:X --eos --txn-id whole --rate 100000/s <rows
  sleep "$(random 0.9)"
  kill_it
  [ "$(count X)" = 0 ] || fail "a part of a killed input can be seen"
done
expect 0 relay --raw --key id --to topic:X --eos --txn-id whole <rows
all X | cmp - rows || fail "X differs from the rows"
proved "an input is one transaction: killed it leaves nothing, else all"

mkfifo pipe
kafka-relay --brokers "$KAFKA" --raw --to topic:Y <pipe >"$OUT" 2>"$ERR" &
pid=$!
exec 7>pipe
head -n 1000 rows >&7
within 10 eval '[ "$(count Y)" = 1000 ]'
kill "$pid"
status=0
wait "$pid" || status=$?
exec 7>&-
[ "$status" = 3 ] || fail "status $status, not 3, for an input that was cut"
complains partial
proved "without transactions a run that was cut says that a part is there"
