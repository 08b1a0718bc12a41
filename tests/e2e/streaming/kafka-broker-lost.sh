#!/bin/bash
# One of three brokers is killed and comes back, and a second relay joins, while two relays copy a topic: each message once. A zombie is fenced.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=scripts/lib/oracles.sh
. "$ROOT/scripts/lib/oracles.sh"
# shellcheck source=scripts/lib/kafka.sh
. "$ROOT/scripts/lib/kafka.sh"
need_kafka || skip "Kafka is missing"
PATH=$BAREPLANE_BIN:$PATH
MESSAGES=150000
trap 'end_relays; kafka_down "$WORK"; story_end $?' EXIT
pids=()
end_relays() { kill -KILL "${pids[@]}" 2>/dev/null || true; }
kafka_up "$WORK" 3 || fail "Kafka does not come up"
cd "$WORK"
for topic in V W; do kafka_topic "$topic" 6; done

relay() { kafka-relay --brokers "$KAFKA" "$@"; }
committed() { kcat -b "$KAFKA" -C -t "$1" -e -q -X isolation.level=read_committed 2>/dev/null; }
count() { committed "$1" | wc -l; }
# copier NAME: a member of the group, whose messages are in NAME.log
copier() {
  kafka-relay --brokers "$KAFKA" --from topic:V --to topic:W --group copy --eos --txn-id "copy-$1" --commit-every 200ms -v \
    --timeout 300s 2>"$1.log" &
  pids+=("$!")
}
members() { kafka_tool consumer.group.ConsumerGroupCommand --describe --members --group copy 2>/dev/null | grep -c '^copy .* [1-9][0-9]* *$'; }

seq "$MESSAGES" | awk '{printf "{\"id\":%d}\n", $1}' | LC_ALL=C sort >rows
# A minute of load, however fast the machine is.
relay --raw --key id --to topic:V --rate $((MESSAGES / 40))/s <rows 2>source.log &
source=$!
copier one
within 30 eval '[ "$(count W)" -gt 2000 ]'
copier two
within 40 eval '[ "$(members)" = 2 ]'
proved "two relays share the partitions while messages come"

kafka_kill "$WORK" 2
come=$(count W)
within 40 eval '[ "$(count W)" -gt $((come + 5000)) ]'
kafka_start "$WORK" 2
wait_for 60 kafka_ready 3 || fail "the broker does not come back"
proved "with one of three brokers killed, copying goes on"

# One of the two goes in the middle of its work; the other takes over.
kill -KILL "${pids[1]}"
{ wait "${pids[1]}"; } 2>/dev/null || true
wait "$source" || fail "the load ended with $?: $(cat source.log)"
[ "$(committed V | LC_ALL=C sort | cmp - rows && echo same)" = same ] || fail "V does not hold the rows"
within 90 eval '[ "$(count W)" -ge $MESSAGES ]'
sleep 1
committed W | LC_ALL=C sort | cmp - rows || fail "W differs from V"
kill "${pids[0]}"
wait "${pids[0]}" || fail "a relay that was asked to end answers $?: $(cat one.log)"
pids=()
proved "a broker and a relay killed, and a rebalance: every message once"

copier zombie
zombie=${pids[0]}
within 30 eval '[ "$(members)" = 1 ]'
kill -STOP "$zombie"
echo '{"id":0}' | relay --raw --key id --to topic:V
kafka-relay --brokers "$KAFKA" --from topic:V --to topic:W --group copy --eos --txn-id copy-zombie --until end 2>"$ERR" || fail "the second run with the id failed"
kill -CONT "$zombie"
status=0
wait "$zombie" || status=$?
[ "$status" = 1 ] || fail "status $status, not 1, of the zombie: $(cat zombie.log)"
grep -q 'fenced' zombie.log || fail "the zombie does not say that it is fenced: $(cat zombie.log)"
[ "$(committed W | grep -c '"id":0}')" = 1 ] || fail "the message is not in W once"
pids=()
proved "a zombie with the same transactional id is fenced: status 1"
