#!/bin/bash
# What kafka-relay writes kcat reads byte for byte, and the other way round; what is poison ends aside, and the counts add up.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=scripts/lib/oracles.sh
. "$ROOT/scripts/lib/oracles.sh"
# shellcheck source=scripts/lib/kafka.sh
. "$ROOT/scripts/lib/kafka.sh"
{ need_kafka && need python3=python3; } || skip "Kafka is missing"
PATH=$BAREPLANE_BIN:$PATH
trap 'status=$?; kafka_down "$WORK"; story_end $status' EXIT
kafka_up "$WORK" || fail "Kafka does not come up"
cd "$WORK"
for topic in A B C; do kafka_topic "$topic" 1; done
for topic in K L M N P; do kafka_topic "$topic" 3; done
kafka_topic D 1

relay() { kafka-relay --brokers "$KAFKA" "$@"; }
kc() { kcat -b "$KAFKA" -q "$@"; }
all() { relay --until end --from "topic:$1" "${@:2}"; }

python3 "$ROOT/tests/oracles/messages.py" 3000 lines printed
expect 0 relay --to topic:A -v <lines
complains "3000 in = 3000 out + 0 rejected"
complains "to A/0: 3000 messages, offsets 0 to 2999"
kc -C -t A -e -f '%K:%k|%S:%s|%h;' | cmp - printed || fail "kcat reads something else than was written"
proved "keys, values and headers of any bytes: kcat reads what kafka-relay wrote"

# One relay's lines are another's; then a topic straight into a third.
all A >first
relay --to topic:B --partitioner keep <first
relay --from topic:B --to topic:C --partitioner keep --until end
all C | sed 's/"topic":"C"/"topic":"A"/' | cmp - first || fail "messages change on their way"
proved "lines and topics: a message goes through both unchanged, with its time and its place"

kc -C -t A -e -J >kcat.lines
expect 0 relay --kcat --to topic:B -v <kcat.lines
complains "3000 in = 3000 out + 0 rejected"
kc -C -t B -o 3000 -e -f '%K:%k|%S:%s|%h;' | cmp - printed || fail "kcat's own lines come back otherwise"
proved "what kcat -J writes is read back byte for byte"

# kcat writes: a key and a value with bytes that are no text, a tombstone, a header that stands twice.
printf '\xff\x00k:\xfe\xfdv\n' | kc -P -t K -p 0 -K : -H h=1 -H h=2
printf 'gone:\n' | kc -P -t K -p 0 -K : -Z
printf 'k:{"a":1.50}\n' | kc -P -t K -p 0 -K :
all K >"$OUT"
says 'length == 3'
says '.[0] | .key_b64 == "/wBr" and .value_b64 == "/v12" and .headers == [["h","1"],["h","2"]]'
says '.[1] | .key == "gone" and has("value") and .value == null'
grep -q '"value":{"a":1.50}}$' "$OUT" || fail "the value's bytes changed"
proved "binary keys, tombstones and headers that stand twice, as kcat wrote them"

# The same key goes to the same partition, whoever writes it.
seq 500 | sed 's/.*/key-&:{"id":&}/' >keyed
kc -P -t L -K : <keyed
sed 's/.*:{/{/' keyed | sed 's/{"id":\(.*\)}/{"id":\1,"k":"key-\1"}/' | relay --raw --key k --to topic:M
kc -C -t L -e -f '%p %k\n' | sort >l
kc -C -t M -e -f '%p %k\n' | sort | cmp - l || fail "the partitions are others than librdkafka's"
kc -P -t N -K : -X partitioner=murmur2_random <keyed
all L | relay --partitioner murmur2 --to topic:P
kc -C -t N -e -f '%p %k\n' | sort >n
kc -C -t P -e -f '%p %k\n' | sort | cmp - n || fail "the partitions are others than the Java client's"
cmp -s l n && fail "both partitioners do the same"
proved "partitioners choose as librdkafka's and the Java client's do"

{
  printf '%s\n' '{"id":1}' 'no json' '{"id":2' '{"x":1}' '{"id":NaN}' '{"id":null}' '' '{"id":123456789012345678901234567890}' '[1]' 'null'
  printf '{"id":"\xff"}\n'
  printf '{"id":3,"text":"'
  head -c 10000000 /dev/zero | tr '\0' x
  printf '"}\n{"id":"9999-12-31T23:59:59Z"}\n{"id":{"a":1},"id":4}\n'
} >poison
lines=$(wc -l <poison)
expect 0 relay --raw --key id --to topic:M --reject rejected -v <poison
complains "$lines in = 5 out + $((lines - 5)) rejected"
[ "$(jq -s length rejected)" = $((lines - 5)) ] || fail "not every rejected line is in the file"
jq -se 'any(.error | contains("bytes are more than --max-bytes")) and all(.error != "") and ([.[].line] == (map(.line) | sort))' rejected >/dev/null ||
  fail "a line is put aside without its reason"
expect 0 relay --raw --key id --to topic:M --reject topic:D -v <poison
[ "$(all D | jq -se 'map(select(.headers[0][0] == "error")) | length')" = $((lines - 5)) ] || fail "the topic of rejects lacks some"
expect 2 relay --raw --key id --to topic:M -v <poison
complains "1 in = 1 out + 0 rejected"
complains "line 2: value: column 1: not an object"
proved "poison ends aside with its reason, in a file or a topic; the counts add up"

head -c 3000000 /dev/zero | tr '\0' x >large
expect 2 relay --raw --max-bytes 5MiB --to topic:M <large
complains "too_large"
complains "message.max.bytes"
proved "a message the brokers do not take is told with the setting to change"

expect 0 relay --raw --from topic:K --until end --reject raw.rejected
[ "$(jq -s length raw.rejected)" = 1 ] || fail "the tombstone is not put aside"
jq -se '.[0].row.key == "gone"' raw.rejected >/dev/null || fail "the tombstone is not put aside whole"
expect 2 relay --raw --from topic:K --until end
complains "a tombstone is no line"
proved "a tombstone that no line can hold is put aside as the message it is"

expect 2 relay --from topic:nope
complains "no_such_topic"
expect 3 relay --from topic:K --timeout 1s
complains "deadline"
kafka_kill "$WORK" 1
expect 3 relay --from topic:K --timeout 2s
complains "network: .*connection refused"
proved "no topic is status 2, no time and no broker are status 3"
