#!/bin/bash
# nosql-put on a stand-in for DynamoDB: conditional puts, throttled and cut off, too large items, and killed at random moments the table is the source.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=scripts/lib/oracles.sh
. "$ROOT/scripts/lib/oracles.sh"
# shellcheck source=scripts/lib/s3.sh
. "$ROOT/scripts/lib/s3.sh"
need_moto || skip "moto is missing"
PATH=$BAREPLANE_BIN:$PATH
cd "$WORK"
trap 'ended=$?; s3_down "$WORK"; story_end $ended' EXIT
s3_up "$WORK"
put() { nosql-put -v --store dynamodb "$@"; }
# table NAME PK [SK]: of texts, and a number.
table() {
  "$MOTO" - "$S3" "$@" <<'END'
import sys, boto3
url, name, *key = sys.argv[1:]
boto3.client("dynamodb", endpoint_url=url).create_table(
    TableName=name, BillingMode="PAY_PER_REQUEST",
    KeySchema=[{"AttributeName": part, "KeyType": kind} for part, kind in zip(key, ("HASH", "RANGE"))],
    AttributeDefinitions=[{"AttributeName": part, "AttributeType": kind} for part, kind in zip(key, "SN")])
END
}
# items NAME: what is there, as boto3 reads it: a row a line, without those that were deleted unless ALL is set.
items() {
  "$MOTO" - "$S3" "$1" "${ALL:-}" <<'END' | LC_ALL=C sort
import decimal, json, sys, boto3
url, name, everything = sys.argv[1:]
def plain(value):
    if isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(value)
answer = {}
table = boto3.resource("dynamodb", endpoint_url=url).Table(name)
while True:
    answer = table.scan(ConsistentRead=True, **({"ExclusiveStartKey": answer["LastEvaluatedKey"]} if "LastEvaluatedKey" in answer else {}))
    for item in answer["Items"]:
        if everything or not item.pop("_deleted", False):
            if not everything:
                item.pop("_v")
            print(json.dumps(item, default=plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
    if "LastEvaluatedKey" not in answer:
        break
END
}

table t id
row() { put --table t --pk id --newer-by v "$@"; }
printf '{"id":"a","v":%s,"n":12.50,"l":[1,{"é":null}]}\n' 1 3 2 3 >rows
expect 0 row --in rows
complains "4 in = 1 put + 0 deleted + 1 there already + 2 older + 0 rejected"
expect 0 row <rows
complains "4 in = 0 put + 0 deleted + 2 there already + 2 older + 0 rejected"
[ "$(items t)" = '{"id":"a","l":[1,{"é":null}],"n":12.5,"v":3}' ] || fail "the table has $(items t)"
message() { printf '{"record":"message","topic":"P","partition":0,"offset":%s,"key":"a","value":%s}\n' "$1" "$2"; }
{ message 9 null && message 8 '{"id":"a","old":true}'; } | expect 0 put --table t --messages --pk id
complains "2 in = 0 put + 1 deleted + 0 there already + 1 older"
message 8 '{"id":"a","old":true}' | expect 0 put --table t --messages --pk id
complains "1 older"
[ "$(ALL=1 items t)" = '{"_deleted":true,"_v":9,"id":"a"}' ] || fail "the table has $(ALL=1 items t)"
proved "only what is newer is put, the same again changes nothing, a tombstone keeps older rows away"

table minutes country start
nested() { put --table minutes --pk country --sk window.start --newer-by rev "$@"; }
echo '{"country":"x'\''\"#k; DROP","window":{"start":1500},"rev":"2026-01-01T00:00:00Z"}' | expect 0 nested
items minutes | jq -e '.start == 1500 and .window.start == 1500' >/dev/null || fail "the table has $(items minutes)"
python3 - >bad <<'END'
import json
print(json.dumps({"id": "b", "v": 1}))
print(json.dumps({"id": "large", "v": 1, "x": "x" * (400 << 10)}))
print(json.dumps({"id": "k" * 2049, "v": 1}))
print('{"id":"d","v":1,"n":0.123456789012345678901234567890123456789}')
print(json.dumps({"id": "e", "v": 1, "_v": 2}))
# The newest of its key is bad: the one before it counts.
print(json.dumps({"id": "f", "v": 1}))
print(json.dumps({"id": "f", "v": 2, "x": "x" * (400 << 10)}))
END
expect 2 row --in bad
complains "line 2: larger than 400 KB"
expect 0 row --in bad --reject aside
complains "7 in = 1 put + 0 deleted + 1 there already + 0 older + 5 rejected"
[ "$(jq -r '"\(.line) \(.field) \(.rule)"' aside | paste -sd' ')" = "2 null size 3 id key 4 n number 5 _v name 7 null size" ] || fail "put aside: $(jq -c 'del(.row)' aside)"
echo '{"country":"x","window":{"start":"soon"},"rev":1}' | expect 2 nested
complains "window.start: the table's start is a number"
expect 2 put --table minutes --pk country --newer-by rev --in rows
complains "the table has a sort key start"
expect 2 put --table nowhere --pk id --newer-by v --in rows
complains "no_such_table"
"$MOTO" -c 'import boto3, sys; boto3.resource("dynamodb", endpoint_url=sys.argv[1]).Table("t").put_item(Item={"id": "theirs"})' "$S3"
echo '{"id":"theirs","v":1}' | expect 2 row
complains "foreign: theirs is not ours"
proved "too large rows, numbers and keys the table cannot hold are put aside; what is not ours is not touched"

# refuses MODE STATUS TEXT
refuses() {
  s3_faults "$WORK" "$1"
  expect "$2" row --in rows --endpoint "$S3_FAULTS" --attempt 300ms --tries 3
  complains "$3"
  ! grep -q secret-of-the-tests "$ERR" || fail "the secret is in the message"
  kill "$(cat faults.pid)"
  wait "$(cat faults.pid)" 2>/dev/null || true
  rm faults.pid
}
refuses throttled 3 "throttled: ProvisionedThroughputExceededException: The level"
refuses crowded 3 "throttled: ThrottlingException: Rate exceeded"
refuses denied 2 "auth: AccessDeniedException"
refuses failed 3 "network: answered 500: InternalServerError"
refuses hanging 3 "network: no answer in time"
refuses broken 3 "network: "
proved "who throttles or is gone is status 3, who refuses is status 2"

ROUNDS=10
[ -z "${SOAK:-}" ] || ROUNDS=100
python3 - <<'END'
import json, random
random.seed(7)
with open("many", "w") as out:
    for version in range(600):
        value = {"id": f"k{random.randrange(200)}", "v": version, "note": "x" * random.randrange(100)}
        gone = random.random() < 0.1
        print(json.dumps({"record": "message", "topic": "P", "partition": 0, "offset": version, "key": value["id"], "value": None if gone else value}), file=out)
END
jq -rs 'reduce .[] as $m ({}; .[$m.key] = $m.value) | .[] | select(.) | tojson' many | jq -Sc . | LC_ALL=C sort >want
table many id
s3_faults "$WORK" dynamodb
all() { nosql-put -v --store dynamodb --table many --messages --pk id --in many --endpoint "$S3_FAULTS" --tries 20; }
killed=0 most=2000
while [ "$killed" -lt "$ROUNDS" ]; do
  all >"$OUT" 2>"$ERR" &
  pid=$!
  sleep "$(awk -v most="$most" -v dice="$RANDOM" 'BEGIN {print most / 1000 * dice / 32768}')"
  command=$(pgrep -P "$pid" -x nosql-put || true)
  [ -z "$command" ] || kill -KILL "$command" 2>/dev/null || true
  status=0
  wait "$pid" 2>/dev/null || status=$?
  case $status in
    137) killed=$((killed + 1)) ;;
    # It was through: the moments come sooner from now on.
    0) most=$((most / 2 + 1)) ;;
    *) fail "status $status" ;;
  esac
done
expect 0 all
complains "600 in = "
expect 0 all
complains "600 in = 0 put + 0 deleted + "
items many >got
cmp want got || fail "the table is not the source after $killed kills"
grep -q throttled faults.log || fail "nothing was throttled"
proved "killed $killed times, and $(grep -cE '^[0-9]+ [a-z]+$' faults.log) requests throttled, cut or lost: each key has its newest row, nothing else is there"
