#!/bin/bash
# Every command over TLS with a password: certificates and names are looked at unless somebody says no, and who is
# turned away is told why.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=scripts/lib/oracles.sh
. "$ROOT/scripts/lib/oracles.sh"
# shellcheck source=scripts/lib/kafka.sh
. "$ROOT/scripts/lib/kafka.sh"
{ need_kafka && need openssl=openssl jq=jq; } || skip "Kafka is missing"
PATH=$BAREPLANE_BIN:$PATH
trap 'status=$?; kafka_down "$WORK/kafka"; story_end $status' EXIT
cd "$WORK"

# authority NAME, certificate NAME SUBJECT-ALTERNATIVE-NAME: Kafka wants key and certificate in one file.
authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign -keyout "$1.key" -out "$1.crt" 2>/dev/null
}
certificate() {
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$1.key" -out "$1.csr" 2>/dev/null
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile <(echo "subjectAltName=$2") -out "$1.crt" 2>/dev/null
  cat "$1.key" "$1.crt" >"$1.pem"
}
authority ca
authority stranger
certificate here IP:127.0.0.1
certificate elsewhere DNS:elsewhere.example

KAFKA_TAKEN=()
kafka_port && HERE=127.0.0.1:$KAFKA_PORT
kafka_port && ELSEWHERE=127.0.0.1:$KAFKA_PORT
KAFKA_LISTENERS="HERE:SASL_SSL:${HERE#*:} ELSEWHERE:SASL_SSL:${ELSEWHERE#*:}"
listener() {
  echo "listener.name.$1.ssl.keystore.type=PEM"
  echo "listener.name.$1.ssl.keystore.location=$WORK/$1.pem"
  echo "listener.name.$1.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256"
  echo "listener.name.$1.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_app=\"app-secret\";"
  echo "listener.name.$1.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;"
}
KAFKA_OPTIONS=$(listener here && listener elsewhere)
kafka_up "$WORK/kafka" || fail "Kafka does not come up"
kafka_tool ConfigCommand --alter --entity-type users --entity-name scram \
  --add-config 'SCRAM-SHA-256=[password=scram-secret]' >/dev/null

# secrets MECHANISM USER PASSWORD AUTHORITY: what --security names.
secrets() { printf 'security.protocol=SASL_SSL\nsasl.mechanism=%s\nsasl.username=%s\nsasl.password=%s\n' "$1" "$2" "$3" && [ -z "${4:-}" ] || echo "ssl.ca.location=$4"; }
(umask 077 && secrets PLAIN app app-secret "$WORK/ca.crt" >plain)
SCRAM=$(secrets SCRAM-SHA-256 scram scram-secret "$WORK/ca.crt")
export SCRAM
PLAIN=(--brokers "$HERE" --security file:plain)
cat >pipeline.yaml <<END
version: 1
name: shop
kafka: {brokers: ["$HERE"], security: env:SCRAM}
databases:
  A: {url: "sqlite:a.db"}
topics:
  V: {partitions: 2, replicas: 1, key: [country]}
  P: {partitions: 2, replicas: 1}
sources:
  - {name: a, from: A, table: orders, to: V}
windows:
  - {name: minutes, from: [V], to: P, time: {field: ts, watermark: 5s}, window: {tumbling: 1m}, by: [country], aggregates: {n: count}}
END

expect 1 kafka-topics plan --pipeline pipeline.yaml
expect 0 kafka-topics apply --pipeline pipeline.yaml
expect 0 kafka-topics plan --pipeline pipeline.yaml
proved "kafka-topics makes the topics over TLS, known by SCRAM from a variable"

jq -nc 'range(1000) | {ts: todate, country: "c\(. % 10)"}' >rows
expect 0 kafka-relay "${PLAIN[@]}" --raw --key country --to topic:V -v <rows
complains "1000 in = 1000 out"
expect 0 kafka-relay --pipeline pipeline.yaml --raw --from topic:V --group copy --until end
sort "$OUT" | cmp - <(sort rows) || fail "other rows come out than went in"
kafka_topic W 2
expect 0 kafka-relay "${PLAIN[@]}" --from topic:V --to topic:W --group w --eos --txn-id w --until end -v
complains "1000 in = 1000 out"
proved "kafka-relay writes, reads and copies exactly once, by a password from a file and from a variable"

expect 0 stream-agg --pipeline pipeline.yaml --step minutes --kafka --until end --at-eof flush -v
complains "1000 in = 1000 aggregated"
expect 0 kafka-relay "${PLAIN[@]}" --raw --from topic:P --until end
says '(map(.n) | add) == 1000'
expect 0 kafka-lag --pipeline pipeline.yaml --step minutes --max 0
expect 0 kafka-lag "${PLAIN[@]}" --group copy --topic V --max 0
expect 0 lake-sink --in topic:P --url "file:$WORK/lake" --brokers "$HERE" --security env:SCRAM --until end
proved "stream-agg, kafka-lag and lake-sink over the same connection"

# refused STATUS WORD COMMAND…: it answers so, and soon, and does not say the password.
refused() {
  local status=$1 word=$2
  shift 2
  expect "$status" "$@"
  complains "$word"
  ! grep -q 'secret' "$ERR" || fail "a message says the password"
}
reading() { kafka-relay --raw --from topic:V --until end "$@"; }
secrets PLAIN app app-secret "$WORK/stranger.crt" >stranger
secrets PLAIN app app-secret >machine
for what in stranger machine; do
  refused 2 'auth: .*certificate' reading --brokers "$HERE" --security file:$what
  refused 2 'certificate' kafka-lag --brokers "$HERE" --security file:$what --group copy
done
refused 2 'certificate' kafka-relay --brokers "$HERE" --security file:stranger --raw --to topic:V <rows
proved "an authority nobody named is refused, also where no authority is named: certificates are looked at"

refused 2 'auth: .*certificate' reading --brokers "$ELSEWHERE" --security file:plain
expect 0 reading --brokers "$HERE" --security file:plain --kafka-config ssl.endpoint.identification.algorithm=https
proved "a certificate of another name is refused"

secrets PLAIN app wrong-secret "$WORK/ca.crt" >wrong
refused 2 'auth: ' reading --brokers "$HERE" --security file:wrong
refused 2 'uthentication' kafka-relay --brokers "$HERE" --security file:wrong --raw --to topic:V <rows
refused 2 'uthentication' kafka-lag --brokers "$HERE" --security file:wrong --group copy
refused 2 'uthentication' stream-agg --pipeline pipeline.yaml --step minutes --kafka --until end --security file:wrong
secrets SCRAM-SHA-256 scram wrong-secret "$WORK/ca.crt" >wrong
refused 2 'uthentication' kafka-topics plan --pipeline pipeline.yaml --security file:wrong
proved "a wrong password is status 2, with every command"

refused 3 'connecting to a PLAINTEXT broker listener' reading --brokers "$KAFKA" --security file:plain --timeout 2s
refused 3 'listens for TLS' reading --brokers "$HERE" --timeout 2s
proved "TLS where there is none, and none where there is, are told as that"
