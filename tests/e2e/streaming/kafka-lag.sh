#!/bin/bash
# kafka-lag against real brokers: a group that stands still, markers and aborted messages at the end, partitions
# without an offset, messages deleted unread, a coordinator that is gone; beside Kafka's own command.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=scripts/lib/oracles.sh
. "$ROOT/scripts/lib/oracles.sh"
# shellcheck source=scripts/lib/kafka.sh
. "$ROOT/scripts/lib/kafka.sh"
need_kafka || skip "Kafka is missing"
PATH=$BAREPLANE_BIN:$PATH
cd "$WORK"
trap 'status=$?; kafka_down "$WORK/one"; kafka_down "$WORK/three"; story_end $status' EXIT
kafka_up "$WORK/one" 1 || fail "Kafka does not start"
kafka_topic V 3

lag() { kafka-lag --brokers "$KAFKA" "$@"; }
relay() { kafka-relay --brokers "$KAFKA" "$@"; }
# rows N PARTITION: so many messages into that partition.
rows() { seq "$1" | sed 's/.*/{"n":&}/' | kcat -P -b "$KAFKA" -t V -p "$2"; }
catch_up() { relay --from topic:V --to - --raw --group g --until end >/dev/null 2>"$WORK/relay.log" || fail "relay: $(cat "$WORK/relay.log")"; }
# theirs: partition, offset, end and lag as Kafka's own command has them.
theirs() {
  kafka_tool consumer.group.ConsumerGroupCommand --describe --group g 2>/dev/null |
    awk '$1 == "g" {print $3, $4, $5, $6}' | sort | xargs
}
ours() { jq -r 'select(.committed != null) | [.partition, .committed, .end, .lag] | join(" ")' "$OUT" | sort | xargs; }

expect 2 lag --group g
says '.[-1].error == "no_such_group"'
expect 2 lag --group g --topic nowhere
says '.[-1].error == "no_such_topic"'
rows 100 0
rows 10 1
catch_up
expect 0 lag --group g --max 0
says 'map(select(.partition < 2).state) == ["caught_up","caught_up"]'
says 'map(select(.partition < 2) | .lag) == [0,0]'
rows 7 0
rows 3 1
expect 0 lag --group g
says 'map(select(.partition < 2) | [.state, .lag]) == [["behind",7],["behind",3]]'
says 'map(select(.partition < 2) | .age_ms >= 0 and .age_ms < 60000) | all'
[ "$(theirs)" = "$(ours)" ] || fail "Kafka says $(theirs), kafka-lag $(ours)"
proved "lag is what Kafka's own command says, and what waits has an age"

expect 0 lag --group g --max 10
expect 1 lag --group g --max 9
complains "group g is 10 behind, more than 9"
sleep 1.2
expect 1 lag --group g --max-age 1s
complains "what group g has not read waits for"
expect 0 lag --group g --max-age 1h --freshness 1h
expect 1 lag --group g --freshness 1s
complains "the newest message of V is"
started=$(date +%s%3N)
expect 1 lag --group g --max 9 --for 1500ms
[ $(($(date +%s%3N) - started)) -ge 1500 ] || fail "it did not wait for the time of the limit"
(sleep 1 && catch_up) &
helper=$!
expect 0 lag --group g --max 9 --for 60s
wait "$helper"
proved "a group that stands still is a no, if it does so for long enough; one that goes on is a yes"

{ rows 1 0 && sleep 1.5 && rows 20 0; } &
helper=$!
expect 1 lag --group g --watch 200ms --max 15
says 'map(.lag // 0) | (any(. == 1)) and max >= 16'
wait "$helper"
catch_up
kafka-lag --brokers "$KAFKA" --group g --watch 200ms >"$OUT" 2>"$ERR" &
pid=$!
within 10 eval '[ "$(wc -l <"$OUT")" -ge 6 ]'
kill -TERM "$pid"
status=0 && wait "$pid" || status=$?
[ "$status" = 0 ] || fail "status $status after a signal"
proved "--watch looks again and again, ends with no over the limit, and with yes when told to"

relay --from topic:V --to - --raw --group marked --until end >/dev/null
rows 5 2
catch_up
# A transaction that is under way, and then broken off.
(printf '{"n":1}\n{"n":2}\n'; exec sleep 60) | kafka-relay --brokers "$KAFKA" --to topic:V --raw --eos --txn-id broken \
  --partitioner 2 --commit-every 50s 2>"$WORK/broken.log" &
pid=$!
transaction() { kafka_tool TransactionsCommand describe --transactional-id broken 2>/dev/null | grep -q 'Ongoing.*V-2'; }
within 40 transaction
expect 0 lag --group g --max 0
says 'map(select(.partition == 2)) | .[0].state == "caught_up" and .[0].end == 5'
{ kill -KILL "$pid" && wait "$pid"; } 2>/dev/null || true
relay --to topic:V --raw --eos --txn-id broken </dev/null
expect 0 lag --group g --max 0
says 'map(select(.partition == 2)) | .[0] | .state == "caught_up" and .lag == 0 and .committed == 5 and .end >= 8'
[[ "$(theirs)" = *"2 5 "*" 3"* ]] || fail "Kafka's own command counts what was aborted: $(theirs)"
printf '{"n":3}\n' | relay --to topic:V --raw --eos --txn-id broken --partitioner 2
expect 1 lag --group g --max 0
says 'map(select(.partition == 2)) | .[0] | .state == "behind" and .lag >= 4 and .age_ms != null'
catch_up
expect 0 lag --group g --max 0
proved "an open transaction, an aborted one and markers at the end are no lag; a message behind them is"

expect 0 lag --group marked
says 'map(select(.partition == 2)) | .[0] | .state == "uncommitted" and .committed == null and .lag == null and .age_ms != null'
expect 1 lag --group marked --max 3
rows 20 0
printf '{"partitions":[{"topic":"V","partition":0,"offset":130}],"version":1}' >delete.json
kafka_tool DeleteRecordsCommand --offset-json-file delete.json >/dev/null
expect 1 lag --group g
says 'map(select(.partition == 0)) | .[0] | .state == "expired" and .begin == 130'
complains "were deleted before group g read them"
proved "a partition without an offset is told apart, and messages deleted unread are a no"

kafka_topic P 1
relay --from topic:P --to - --raw --group shop.m --until end >/dev/null
cat >pipeline.yaml <<END
version: 1
name: shop
kafka: {brokers: ["$KAFKA"]}
topics: {V: {}, P: {}}
windows: [{name: m, from: [V], to: P, time: {field: ts, watermark: 1m}, window: {tumbling: 1m}, aggregates: {n: count}}]
watch: {lag_max: 2, lag_for: 500ms}
END
relay --from topic:V --to - --raw --group shop.m --from-offset earliest --until 1 >/dev/null
expect 1 kafka-lag --pipeline pipeline.yaml
complains "group shop.m is"
expect 0 kafka-lag --pipeline pipeline.yaml --max 1000
expect 1 lag --all
says 'map(.group) | unique == ["g","marked","shop.m"]'
proved "groups and limits come from the pipeline document"

kafka_kill "$WORK/one" 1
expect 3 lag --group g --timeout 3s
says '.[-1].error == "network"'

KAFKA_OPTIONS='offsets.topic.replication.factor=1'
kafka_up "$WORK/three" 3 || fail "Kafka does not start"
kafka_topic V 3
rows 10 0
catch_up
expect 0 lag --group g --max 0
coordinator=$(kafka_tool TopicCommand --describe --topic __consumer_offsets | sed -n 's/.*Leader: \([0-9]*\).*/\1/p' | head -1)
kafka_kill "$WORK/three" "$coordinator"
expect 3 lag --group g --timeout 5s
says '.[-1].error == "network"'
kafka_start "$WORK/three" "$coordinator"
within 60 kafka_ready 3
back() { lag --group g --max 0 --timeout 5s >"$OUT" 2>"$ERR"; }
within 60 back
proved "without brokers, or without the group's coordinator: status 3, until it is back"
