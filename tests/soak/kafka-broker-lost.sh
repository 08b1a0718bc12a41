#!/bin/bash
# One of three brokers is killed and comes back, and a second relay joins, while two relays copy a topic: each message once. A zombie is fenced.
. "$(dirname "$0")/../e2e/lib.sh"
# shellcheck source=scripts/lib/oracles.sh
. "$ROOT/scripts/lib/oracles.sh"
# shellcheck source=scripts/lib/kafka.sh
. "$ROOT/scripts/lib/kafka.sh"
need_kafka || skip "Kafka is missing"
PATH=$BAREPLANE_BIN:$PATH
trap 'status=$?; end_relays; kafka_down "$WORK"; story_end $status' EXIT
pids=()
end_relays() {
  [ "$status" = 0 ] || tail -n 3 "$WORK"/*.log | cut -c1-300
  { [ ${#pids[@]} = 0 ] || { kill -KILL "${pids[@]}" && wait "${pids[@]}"; }; } 2>/dev/null || true
}
kafka_up "$WORK" 3 || fail "Kafka does not come up"
cd "$WORK"
for topic in V W; do kafka_topic "$topic" 6; done

relay() { kafka-relay --brokers "$KAFKA" "$@"; }
committed() { kcat -b "$KAFKA" -C -t "$1" -e -q -X isolation.level=read_committed 2>/dev/null; }
# While messages come kcat -e finds no end. Without a leader there is no answer yet.
count() { { relay --raw --from "topic:$1" --until end --timeout 20s 2>/dev/null || true; } | wc -l; }
# copier NAME: a member of the group, whose messages are in NAME.log
copier() {
  kafka-relay --brokers "$KAFKA" --from topic:V --to topic:W --group copy --eos --txn-id "copy-$1" --commit-every 200ms -v \
    --timeout 300s 2>"$1.log" &
  pids+=("$!")
}
members() { kafka_tool consumer.group.ConsumerGroupCommand --describe --members --group copy 2>/dev/null | grep -c '^copy .* [1-9][0-9]* *$'; }

# Load without an end, until it is told to stop.
mkfifo feed
awk 'BEGIN {for (n = 1; ; n++) printf "{\"id\":%d}\n", n}' >feed 2>/dev/null &
pids+=("$!")
kafka-relay --brokers "$KAFKA" --raw --key id --to topic:V --rate 1500/s <feed 2>source.log &
source=$!
pids+=("$source")
copier one
one=${pids[-1]}
within 30 eval '[ "$(count W)" -gt 1000 ]'
copier two
two=${pids[-1]}
within 40 eval '[ "$(members)" = 2 ]'
proved "two relays share the partitions while messages come"

come=$(count W)
kafka_kill "$WORK" 2
within 90 eval '[ "$(count W)" -gt $((come + 2000)) ]'
kafka_start "$WORK" 2
wait_for 60 kafka_ready 3 || fail "the broker does not come back"
proved "with one of three brokers killed, copying goes on"

# One of the two goes in the middle of its work; the other takes over.
{ kill -KILL "$two" && wait "$two"; } 2>/dev/null || true
come=$(count W)
# The transaction it left holds readers up until brokers give it up, after a quarter of a minute.
within 120 eval '[ "$(count W)" -gt $((come + 2000)) ]'
kill "$source"
status=0
wait "$source" || status=$?
[ "$status" = 3 ] || fail "the load ended with $status: $(cat source.log)"
committed V | LC_ALL=C sort >rows
[ "$(uniq -d rows | wc -l)" = 0 ] || fail "the load itself stands twice in V"
[ "$(sed 's/[^0-9]//g' rows | sort -n | tail -n 1)" = "$(wc -l <rows)" ] || fail "messages are missing in V"
within 90 eval '[ "$(count W)" -ge "$(wc -l <rows)" ]'
sleep 1
committed W | LC_ALL=C sort | cmp - rows || fail "W differs from V"
kill "$one"
wait "$one" || fail "a relay that was asked to end answers $?: $(cat one.log)"
pids=()
proved "a broker and a relay killed, and a rebalance: every one of $(wc -l <rows) messages once"

copier zombie
zombie=${pids[0]}
within 30 eval '[ "$(members)" = 1 ]'
kill -STOP "$zombie"
echo '{"id":0}' | relay --raw --key id --to topic:V
kafka-relay --brokers "$KAFKA" --from topic:V --to topic:W --group copy --eos --txn-id copy-zombie --until end 2>"$ERR" || fail "the second run with the id failed"
kill -CONT "$zombie"
# The second run has left the group in order: what tells the zombie is its next message.
echo '{"id":-1}' | relay --raw --key id --to topic:V
status=0
wait "$zombie" || status=$?
[ "$status" = 1 ] || fail "status $status, not 1, of the zombie: $(cat zombie.log)"
grep -q 'fenced' zombie.log || fail "the zombie does not say that it is fenced: $(cat zombie.log)"
[ "$(committed W | grep -c '"id":0}')" = 1 ] || fail "the message is not in W once"
[ "$(committed W | grep -c '"id":-1}')" = 0 ] || fail "the zombie has written"
pids=()
proved "a zombie with the same transactional id is fenced: status 1"
