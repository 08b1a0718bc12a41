#!/bin/bash
# kafka-topics against real brokers: made, made no second time, changed, refused, pruned, taken back;
# killed in the middle; Kafka's own command sees the same.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=scripts/lib/oracles.sh
. "$ROOT/scripts/lib/oracles.sh"
# shellcheck source=scripts/lib/kafka.sh
. "$ROOT/scripts/lib/kafka.sh"
need_kafka || skip "Kafka is missing"
PATH=$BAREPLANE_BIN:$PATH
cd "$WORK"
trap 'status=$?; kafka_down "$WORK/kafka"; kafka_down "$WORK/guarded"; story_end $status' EXIT
kafka_up "$WORK/kafka" 3 || fail "Kafka does not start"

# document TOPICS: a pipeline with these topics.
document() {
  cat >pipeline.yaml <<END
version: 1
name: shop
databases: {A: {url: "sqlite:a.db"}}
kafka: {brokers: [${KAFKA//,/, }]}
topics: $1
sources: [{name: a, from: A, table: t, to: V}]
windows:
  - {name: m, from: [V], to: P, time: {field: ts, watermark: 1m, late: L}, window: {tumbling: 1m}, aggregates: {n: count}}
END
}
topics() { kafka-topics "$1" --pipeline pipeline.yaml "${@:2}"; }
# described TOPIC FIELD…: what Kafka's own command says of it.
described() { kafka_tool TopicCommand --describe --topic "$1" | head -1; }
said_by_kafka() { [[ "$(described "$1")" == *"$2"* ]] || fail "Kafka says of $1: $(described "$1"), not $2"; }
there() { kafka_tool TopicCommand --list | grep -v '^__consumer\|^__trans\|^__share' | LC_ALL=C sort | xargs; }

document '{V: {partitions: 4, replicas: 3, config: {retention.ms: "604800000"}}, P: {config: {cleanup.policy: compact}}, L: {}}'
expect 1 topics check
says 'map(select(.status == "fail" and .check == "topic")) | length == 5'
expect 1 topics plan
says 'map(select(.record == "change" and .action == "create")) | map(.target) == ["L","P","V","V.reject","shop.m.parts"]'
says '.[2].diff | contains("+partitions: 4\n+replicas: 3\n+retention.ms: 604800000\n")'
[ "$(there)" = "" ] || fail "a plan made something: $(there)"
expect 0 topics apply
says 'map(.action) == ["create","create","create","create","create"]'
[ "$(there)" = "L P V V.reject __bareplane-topics shop.m.parts" ] || fail "there is: $(there)"
said_by_kafka V "PartitionCount: 4	ReplicationFactor: 3"
said_by_kafka V "retention.ms=604800000"
said_by_kafka V.reject "PartitionCount: 1	ReplicationFactor: 3"
said_by_kafka shop.m.parts "PartitionCount: 4	ReplicationFactor: 3"
said_by_kafka shop.m.parts retention.ms=-1
expect 0 topics apply
says 'length == 0'
expect 0 topics plan
expect 0 topics check
says 'all(.status == "pass")'
proved "every topic is made, rejects, late rows and state as well, and a second apply makes nothing; Kafka's own command sees the same"

kafka_tool ConfigCommand --alter --entity-type topics --entity-name V --add-config retention.ms=1000,segment.ms=60000 >/dev/null
expect 1 topics check
says 'map(select(.status == "fail")) == [.[] | select(.target == "V" and .check == "config" and .current == "retention.ms: 1000")]'
expect 0 topics apply
says 'length == 1 and (.[0].diff | contains("-retention.ms: 1000\n") and contains("+retention.ms: 604800000\n"))'
said_by_kafka V segment.ms=60000
expect 0 topics undo
says 'length == 1 and (.[0].diff | contains("+retention.ms: 1000\n"))'
expect 2 topics undo
complains "nothing to undo"
expect 0 topics apply
kafka_tool ConfigCommand --alter --entity-type topics --entity-name V --add-config retention.ms=2000 >/dev/null
expect 1 topics undo
says '.[0].error == "changed_since"'
expect 0 topics apply
proved "drift is found and mended, what others set stays, and undo puts back what nobody has changed since"

document '{V: {partitions: 2, replicas: 2}, P: {partitions: 3, config: {cleanup.policy: compact}}, L: {}}'
expect 2 topics plan
says 'map(select(.record == "step" and (.step | endswith(" V"))) | .error) == ["partition_decrease","replicas_change"]'
expect 2 topics apply
complains "topic V: it has 4 partitions, and they never become fewer"
complains "kafka-reassign-partitions.sh"
said_by_kafka P "PartitionCount: 1"
document '{V: {partitions: 4, replicas: 3}, P: {partitions: 3, config: {cleanup.policy: compact}}, L: {}}'
expect 1 topics apply
says 'map(.error) == ["partition_increase"]'
complains "keys would move"
said_by_kafka V "retention.ms=604800000"
expect 0 topics apply --allow-partition-increase
said_by_kafka P "PartitionCount: 3"
[[ "$(described V)" != *retention.ms* ]] || fail "a setting the document dropped is still there"
expect 1 topics undo
says 'map(select(.record == "step") | .error) == ["partition_decrease"]'
said_by_kafka V "retention.ms=604800000"
proved "partitions never become fewer, become more only if told, and replicas stay; a setting that was dropped is given back"

document '{V: {partitions: 4, replicas: 3}, P: {partitions: 3, config: {cleanup.policy: compact}}, L: {}, X: {}, Y: {}, Z: {replicas: 4}}'
expect 3 topics apply
says 'map(.error) == ["not_enough_brokers"]'
document '{V: {partitions: 4, replicas: 3}, P: {partitions: 3, config: {cleanup.policy: compact}}, L: {}, X: {}, Y: {}}'
expect 0 topics apply
echo row | kcat -P -b "$KAFKA" -t Y
kafka_topic foreign 1
document '{V: {partitions: 4, replicas: 3}, P: {partitions: 3, config: {cleanup.policy: compact}}, L: {}}'
expect 0 topics apply
says 'length == 0'
expect 1 topics check
says 'map(select(.check == "left-over") | .target) == ["X","Y"]'
expect 1 topics apply --prune
says '.[0].error == "not_empty"'
[ "$(there)" = "L P V V.reject X Y __bareplane-topics foreign shop.m.parts" ] || fail "there is: $(there)"
expect 0 topics apply --prune --prune-messages
says 'map(.action) == ["delete","delete"]'
[ "$(there)" = "L P V V.reject __bareplane-topics foreign shop.m.parts" ] || fail "there is: $(there)"
expect 0 topics undo
[ "$(there)" = "L P V V.reject X Y __bareplane-topics foreign shop.m.parts" ] || fail "there is: $(there)"
expect 0 topics apply --prune
proved "pruned are this pipeline's own topics alone, messages only if told, and undo makes them again"

document '{V: {partitions: 4, replicas: 3}, P: {partitions: 3, config: {cleanup.policy: compact}}, L: {}, X: {}, Y: {}}'
expect 0 topics apply
echo row | kcat -P -b "$KAFKA" -t Y
expect 1 topics undo
says 'map(.error // .action) == ["delete","not_empty"]'
[ "$(there)" = "L P V V.reject Y __bareplane-topics foreign shop.m.parts" ] || fail "there is: $(there)"
proved "undo deletes a topic it made only while it is empty"

many='V: {partitions: 4, replicas: 3}, P: {partitions: 3, config: {cleanup.policy: compact}}, L: {}'
for n in $(seq 20); do many+=", K$n: {replicas: 3}"; done
document "{$many}"
started=$(date +%s%3N)
expect 0 topics apply --prune --prune-messages
whole_ms=$(($(date +%s%3N) - started))
expect 0 topics undo
ours() { there | tr ' ' '\n' | grep -c '^K' || true; }
[ "$(ours)" = 0 ] || fail "after the undo there is: $(there)"
halfway=0
for _ in $(seq "${KILLS:-6}"); do
  kafka-topics apply --pipeline pipeline.yaml --prune --prune-messages >"$OUT" 2>"$ERR" &
  pid=$!
  sleep "$(awk -v most="$whole_ms" -v dice="$RANDOM" 'BEGIN {print most / 1000 * (0.2 + 0.4 * dice / 32768)}')"
  kill -KILL "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  made=$(ours)
  [ "$made" -lt 20 ] || break
  [ "$made" = 0 ] || halfway=$((halfway + 1))
done
[ "$halfway" -ge 1 ] || fail "no kill came halfway"
expect 0 topics apply --prune --prune-messages
[ "$(ours)" = 20 ] || fail "after the kills there is: $(there)"
expect 0 topics apply
says 'length == 0'
expect 0 topics undo
[ "$(ours)" = 0 ] || fail "after the undo there is: $(there)"
proved "killed $halfway times halfway: the next apply makes the rest, and undo takes all of it back"

document '{V: {partitions: 4, replicas: 3}, P: {partitions: 3, config: {cleanup.policy: nonsense}}, L: {}}'
expect 2 topics apply
complains "changing topic P"
proved "what the brokers do not know is status 2, and names the topic"

kafka_kill "$WORK/kafka" 2 3
expect 3 topics plan --timeout 3s
proved "without a quorum: status 3"
kafka_down "$WORK/kafka"

# A broker with passwords and rights; its own listener stays open for who sets them.
kafka_up "$WORK/guarded" 1 || fail "Kafka does not start"
kafka_kill "$WORK/guarded" 1
kafka_port
sed -i "s/^\(advertised\.\)\?listeners=/&SASL_PLAINTEXT:\/\/127.0.0.1:$KAFKA_PORT,/; s/^listener.security.protocol.map=/&SASL_PLAINTEXT:SASL_PLAINTEXT,/" \
  "$WORK/guarded/1.properties"
cat >>"$WORK/guarded/1.properties" <<'END'
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_ann="annspassword";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
END
kafka_start "$WORK/guarded" 1
within 60 kafka_ready 1
document '{V: {}, P: {}, L: {}}'
sed -i "s/^kafka:.*/kafka: {brokers: [127.0.0.1:$KAFKA_PORT], security: file:secrets}/" pipeline.yaml
secrets() { printf 'security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.username=ann\nsasl.password=%s\n' "$1" >secrets; }
secrets wrong
expect 2 topics plan --timeout 5s
! grep -q wrong "$ERR" || fail "the password is in a message"
secrets annspassword
expect 2 topics plan --timeout 5s
complains "authorization failed"
for topic in __bareplane-topics V P L V.reject shop.m.parts; do
  kafka_tool AclCommand --add --allow-principal User:ann --operation Describe --operation DescribeConfigs --topic "$topic" >/dev/null
done
may_plan() { local status=0; topics plan >"$OUT" 2>"$ERR" || status=$?; [ "$status" = 1 ]; }
within 15 may_plan
expect 2 topics apply
complains "authorization failed"
kafka_tool AclCommand --add --allow-principal User:ann --operation All --topic '*' >/dev/null
may_apply() { topics apply >"$OUT" 2>"$ERR"; }
within 15 may_apply
expect 0 topics plan
proved "a wrong password and a right that is missing are status 2 and change nothing"
