#!/bin/bash
# A relay that was stopped comes back after another one with its transactional id has gone on: it ends as fenced, and has written nothing.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=scripts/lib/oracles.sh
. "$ROOT/scripts/lib/oracles.sh"
# shellcheck source=scripts/lib/kafka.sh
. "$ROOT/scripts/lib/kafka.sh"
need_kafka || skip "Kafka is missing"
PATH=$BAREPLANE_BIN:$PATH
MESSAGES=20000
zombie=
trap 'status=$?; [ -z "$zombie" ] || kill -KILL "$zombie" 2>/dev/null || true; kafka_down "$WORK"; story_end $status' EXIT
kafka_up "$WORK" || fail "Kafka does not come up"
cd "$WORK"
for topic in V Z; do kafka_topic "$topic" 4; done

relay() { timeout 100 kafka-relay --brokers "$KAFKA" "$@"; }
seen() { kcat -b "$KAFKA" -C -t Z -e -q -X isolation.level=read_committed; }
seq "$MESSAGES" | awk '{printf "{\"id\":%d}\n", $1}' | relay --raw --key id --to topic:V
copy=(--from topic:V --to topic:Z --group zombies --eos --txn-id zombie)
kafka-relay --brokers "$KAFKA" "${copy[@]}" --commit-every 200ms -v 2>zombie.log &
zombie=$!
within 60 eval '[ "$(seen | wc -l)" = "$MESSAGES" ]'
kill -STOP "$zombie"
echo '{"id":0}' | relay --raw --key id --to topic:V
expect 0 relay "${copy[@]}" --until end -v
complains "1 in = 1 out"
kill -CONT "$zombie"
# The second run has left the group in order: what tells the zombie is its next message.
echo '{"id":-1}' | relay --raw --key id --to topic:V
within 60 eval '! kill -0 "$zombie"'
status=0
wait "$zombie" || status=$?
[ "$status" = 1 ] || fail "status $status, not 1, of the zombie: $(cat zombie.log)"
grep -q 'fenced' zombie.log || fail "the zombie does not say that it is fenced: $(cat zombie.log)"
within 20 eval '[ "$(seen | grep -c "\"id\":0}")" = 1 ]'
[ "$(seen | grep -c '"id":-1}')" = 0 ] || fail "the zombie has written"
proved "a zombie with the same transactional id is fenced: status 1"
