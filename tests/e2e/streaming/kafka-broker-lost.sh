#!/bin/bash
# One of three brokers, the one that coordinates the group, is killed and comes back while two relays copy a topic and while stream-agg reads it: each message once.
. "$(dirname "$0")/../lib.sh"
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
awk 'BEGIN {for (n = 1; ; n++) printf "{\"id\":%d,\"ts\":%d}\n", n, n}' >feed 2>/dev/null &
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

# Its death leaves transactions open that librdkafka by itself would not end.
coordinator() { kcat -b "$KAFKA" -L -J -t __consumer_offsets 2>/dev/null | jq '.topics[0].partitions[0].leader'; }
come=$(count W)
lost=$(coordinator)
kafka_kill "$WORK" "$lost"
within 90 eval '[ "$(count W)" -gt $((come + 2000)) ]'
kafka_start "$WORK" "$lost"
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
[ "$(jq .id rows | sort -n | tail -n 1)" = "$(wc -l <rows)" ] || fail "messages are missing in V"
within 90 eval '[ "$(count W)" -ge "$(wc -l <rows)" ]'
sleep 1
committed W | LC_ALL=C sort | cmp - rows || fail "W differs from V"
kill "$one"
wait "$one" || fail "a relay that was asked to end answers $?: $(cat one.log)"
pids=()
proved "a broker and a relay killed, and a rebalance: every one of $(wc -l <rows) messages once"

kafka_topic A 3
aggregate() {
  stream-agg --window tumbling:1m --time ts --time-unit ms --watermark 5s --agg n=count --brokers "$KAFKA" --from topic:V --to topic:A \
    --late topic:A --group agg --until end --at-eof flush --commit-rows 1000
}
aggregate 2>"$ERR" &
pids=("$!")
within 60 eval '[ "$(committed agg.parts | wc -c)" -gt 0 ]'
kafka_kill "$WORK" "$(coordinator)"
wait "${pids[0]}" || fail "stream-agg answers $?"
pids=()
committed A >windows
[ "$(jq -s 'map(.n // 1) | add' windows)" = "$(wc -l <rows)" ] || fail "windows count otherwise: $(cat windows)"
proved "stream-agg counts every message once while its coordinator dies"
