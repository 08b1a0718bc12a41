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
for topic in V W X Y; do kafka_topic "$topic" 4; done

relay() { kafka-relay --brokers "$KAFKA" "$@"; }
# Everything in a topic, as a reader of what is committed sees it.
all() { relay --raw --until end --from "topic:$1" | LC_ALL=C sort; }
seen_by_kcat() { kcat -b "$KAFKA" -C -t "$1" -e -q -X isolation.level=read_committed | LC_ALL=C sort; }

seq "$MESSAGES" | awk '{printf "{\"id\":%d,\"text\":\"some words that make it longer\"}\n", $1}' | LC_ALL=C sort >rows
expect 0 relay --raw --key id --to topic:V <rows
all V | cmp - rows || fail "topic V does not hold the rows"

# killed WORDS…: starts a relay and kills it at a random moment.
killed() {
  # Not the function: what is killed then would be the shell that runs it.
  kafka-relay --brokers "$KAFKA" "$@" >>killed.out 2>"$ERR" &
  local pid=$!
  sleep "$(awk -v dice="$RANDOM" 'BEGIN {print 0.1 + 0.8 * dice / 32768}')"
  { kill -KILL "$pid" && wait "$pid"; } 2>/dev/null || true
}

EXACTLY=(--from topic:V --to topic:W --group copy --eos --txn-id copy-1 --until end --rate 100000/s --commit-every 100ms)
halfway=0 before=0
for _ in $(seq "$ROUNDS"); do
  killed "${EXACTLY[@]}"
  come=$(seen_by_kcat W | wc -l)
  if [ "$come" -gt "$before" ] && [ "$come" -lt "$MESSAGES" ]; then halfway=$((halfway + 1)); fi
  before=$come
  # The next rounds have something to do as well.
  [ "$come" -lt $((MESSAGES * 3 / 4)) ] || {
    [ "$(seen_by_kcat W | uniq -d | wc -l)" = 0 ] || fail "messages stand twice in W"
    relay --from topic:V --to topic:W --group copy --eos --txn-id copy-1 --until end 2>"$ERR" || fail "the run to the end failed"
    seen_by_kcat W | cmp - rows || fail "W differs from V after kills"
    kafka_tool consumer.group.ConsumerGroupCommand --group copy --topic V --reset-offsets --to-earliest --execute >/dev/null
    kafka_tool TopicCommand --delete --topic W
    wait_for 20 eval '! kcat -b "$KAFKA" -L -J | jq -e ".topics[] | select(.topic == \"W\")"' || fail "W does not go away"
    kafka_topic W 4
    before=0
  }
done
expect 0 relay "${EXACTLY[@]}" -v
all W | cmp - rows || fail "W differs from V after $ROUNDS kills"
seen_by_kcat W | cmp - rows || fail "kcat finds something else in W"
[ "$halfway" -ge $((ROUNDS / 3)) ] || fail "only $halfway of $ROUNDS kills came between two commits and the end"
proved "killed $ROUNDS times, $halfway of them halfway: every message is in W once"
expect 0 relay "${EXACTLY[@]}" -v
complains "0 in = 0 out"
proved "a run after the last one moves nothing"

for _ in 1 2 3; do
  killed --raw --from topic:V --group print --until end --rate 100000/s --commit-every 50ms
  # What comes next begins a line of its own.
  echo >>killed.out
done
relay --raw --from topic:V --group print --until end >>killed.out
# A line cut by a kill was not committed: it comes again, whole.
LC_ALL=C sort -u killed.out | LC_ALL=C comm -13 - rows | cmp - /dev/null || fail "messages are missing on standard output"
proved "offsets are committed after standard output: nothing is missing from it"

for _ in 1 2 3; do
  killed --raw --key id --to topic:X --eos --txn-id whole --rate 100000/s <rows
  [ "$(seen_by_kcat X | wc -l)" = 0 ] || fail "a part of a killed input can be seen"
done
expect 0 relay --raw --key id --to topic:X --eos --txn-id whole <rows
all X | cmp - rows || fail "X differs from the rows"
proved "an input is one transaction: killed it leaves nothing, else all"

mkfifo pipe
kafka-relay --brokers "$KAFKA" --raw --to topic:Y <pipe >"$OUT" 2>"$ERR" &
pid=$!
exec 7>pipe
head -n 1000 rows >&7
within 10 eval '[ "$(seen_by_kcat Y | wc -l)" = 1000 ]'
kill "$pid"
status=0
wait "$pid" || status=$?
exec 7>&-
[ "$status" = 3 ] || fail "status $status, not 3, for an input that was cut"
complains partial
proved "without transactions a run that was cut says that a part is there"

copier() {
  kafka-relay --brokers "$KAFKA" --from topic:V --to topic:Z --group zombies --eos --txn-id zombie --commit-every 200ms -v 2>zombie.log &
  zombie=$!
}
kafka_topic Z 4
all_z() { seen_by_kcat Z | wc -l; }
copier
within 60 eval '[ "$(all_z)" = "$MESSAGES" ]'
kill -STOP "$zombie"
echo '{"id":0}' | relay --raw --key id --to topic:V
kafka-relay --brokers "$KAFKA" --from topic:V --to topic:Z --group zombies --eos --txn-id zombie --until end 2>"$ERR" || fail "the second run with the id failed"
kill -CONT "$zombie"
# The second run has left the group in order: what tells the zombie is its next message.
echo '{"id":-1}' | relay --raw --key id --to topic:V
status=0
wait "$zombie" || status=$?
[ "$status" = 1 ] || fail "status $status, not 1, of the zombie: $(cat zombie.log)"
grep -q 'fenced' zombie.log || fail "the zombie does not say that it is fenced: $(cat zombie.log)"
within 20 eval '[ "$(seen_by_kcat Z | grep -c "\"id\":0}")" = 1 ]'
[ "$(seen_by_kcat Z | grep -c '"id":-1}')" = 0 ] || fail "the zombie has written"
proved "a zombie with the same transactional id is fenced: status 1"
