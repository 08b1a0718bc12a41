#!/bin/bash
# nosql-put on a real Redis: only what is newer is put, and killed at random moments the store is the source.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=scripts/lib/stores.sh
. "$ROOT/scripts/lib/stores.sh"
need_redis || skip "Redis is missing"
PATH=$BAREPLANE_BIN:$PATH
cd "$WORK"
trap 'ended=$?; redis_down "$WORK"; story_end $ended' EXIT
redis_up "$WORK"
URL=redis://127.0.0.1:$(cat redis.port)
put() { nosql-put -v --store redis --url "$URL" --table t "$@"; }
store() { redis_do "$WORK" "$@"; }

printf '{"id":"a","v":%s}\n' 1 3 2 3 >rows
expect 0 put --pk id --newer-by v --in rows
complains "4 in = 2 put + 0 deleted + 1 there already + 1 older + 0 rejected"
expect 0 put --pk id --newer-by v <rows
complains "4 in = 0 put + 0 deleted + 2 there already + 2 older + 0 rejected"
[ "$(store GET t:a)" = '{"v":"00000000000000000003","row":{"id":"a","v":3}}' ] || fail "the store has $(store GET t:a)"
message() { printf '{"record":"message","topic":"P","partition":0,"offset":%s,"key":"a","value":%s}\n' "$1" "$2"; }
message 9 null | expect 0 put --messages --pk id
complains "1 deleted"
{ message 8 '{"id":"a","old":true}' && message 9 null; } | expect 0 put --messages --pk id
complains "2 in = 0 put + 0 deleted + 1 there already + 1 older"
[ "$(store GET t:a)" = '{"v":"00000000000000000009"}' ] || fail "an older row came back"
message 18446744073709551615 '{"id":"a"}' | expect 2 put --messages --pk id
echo '{"id":"a","v":18446744073709551615}' | expect 0 put --pk id --newer-by v
echo '{"id":"a","v":9223372036854775808}' | expect 0 put --pk id --newer-by v
complains "1 older"
proved "only what is newer is put, the same again changes nothing, a tombstone keeps older rows away"

# Keys that would be one, or a command.
{
  echo '{"a":"x:y","b":"z","v":1,"n":1}'
  echo '{"a":"x","b":"y:z","v":1,"n":2}'
  echo '{"a":"x%3Ay","b":"z","v":1,"n":3}'
  printf '%s\n' '{"a":"\r\nFLUSHALL\r\n","b":"é\u0000","v":1,"n":4}'
} >keys
expect 0 put --pk a --sk b --newer-by v --in keys
complains "4 in = 4 put"
[ "$(for key in t:x%3Ay:z t:x:y%3Az t:x%253Ay:z; do store GET "$key" | jq .row.n; done | xargs)" = "1 2 3" ] || fail "keys are mixed up: $(store KEYS 't:*')"
[ "$(store DBSIZE)" = 5 ] || fail "the store has $(store DBSIZE) keys"
printf '%s\n' '{"id":"b","v":1}' '{"v":1}' '{"id":"c","v":-1}' 'x' '{"id":"d","v":1}' >bad
expect 2 put --pk id --newer-by v --in bad
complains "line 2: id: a key is a text or a number, this is missing"
[ "$(store EXISTS t:b t:d)" = 1 ] || fail "not what stands before the bad row"
expect 0 put --pk id --newer-by v --in bad --reject aside
complains "5 in = 1 put + 0 deleted + 1 there already + 0 older + 3 rejected"
[ "$(jq -r '"\(.line) \(.field) \(.rule)"' aside | paste -sd' ')" = "2 id key 3 v version 4 null null" ] || fail "put aside: $(cat aside)"
expect 1 put --pk id --newer-by v --in bad --reject aside --max-reject 2
store SET t:s x >/dev/null
store LPUSH t:l x >/dev/null
echo '{"id":"s","v":1}' | expect 2 put --pk id --newer-by v
complains FOREIGN
echo '{"id":"l","v":1}' | expect 2 put --pk id --newer-by v
complains WRONGTYPE
proved "keys stay apart whatever they hold; bad rows are told or put aside; what is not ours is not touched"

# A server that is busy, forgets the script, wants a password, or is not there.
store SCRIPT FLUSH >/dev/null
mkfifo slow
put --pk id --newer-by v --in slow 2>"$ERR" &
pid=$!
exec 7>slow
echo '{"id":"w1","v":1}' >&7
within 10 eval '[ "$(store EXISTS t:w1)" = 1 ]'
store SCRIPT FLUSH >/dev/null
echo '{"id":"w2","v":1}' >&7
within 10 eval '[ "$(store EXISTS t:w2)" = 1 ]'
(store EVAL 'local t = redis.call("TIME")[1] + 7 while redis.call("TIME")[1] + 0 < t do end' 0 || true) >/dev/null 2>&1 &
busy=$!
echo '{"id":"w3","v":1}' >&7
wait "$busy" || true
within 20 eval '[ "$(store EXISTS t:w3)" = 1 ]'
exec 7>&-
wait "$pid" || fail "status $?: $(cat "$ERR")"
complains "3 in = 3 put"
mkfifo open
nosql-put -v --store redis --url "$URL" --table t --pk id --newer-by v --in open 2>"$ERR" &
pid=$!
exec 7>open
echo '{"id":"o","v":1}' >&7
within 10 eval '[ "$(store EXISTS t:o)" = 1 ]'
kill "$pid"
status=0
wait "$pid" || status=$?
exec 7>&-
[ "$status" = 3 ] || fail "status $status, not 3, after a signal"
complains interrupted
store CONFIG SET requirepass secret-of-the-tests >/dev/null
expect 2 put --pk id --newer-by v --in rows
complains "auth: NOAUTH"
(umask 077 && echo secret-of-the-tests >pw && echo wrong >wrong)
expect 2 put --password file:wrong --pk id --newer-by v --in rows
complains "auth: "
expect 0 put --password file:pw --pk id --newer-by v --in rows
redis-cli -p "$(cat redis.port)" --no-auth-warning -a secret-of-the-tests CONFIG SET requirepass '' >/dev/null
proved "a busy server is asked again, a forgotten script told again; passwords and signals are answered"

ROUNDS=10
[ -z "${SOAK:-}" ] || ROUNDS=100
python3 - <<'END'
import json, random
random.seed(7)
with open("many", "w") as out:
    for version in range(300000):
        print(json.dumps({"id": random.randrange(50000), "v": version, "note": "x" * random.randrange(100)}), file=out)
END
store FLUSHALL >/dev/null
killed=0 most=200
while [ "$killed" -lt "$ROUNDS" ]; do
  put --pk id --newer-by v --in many >"$OUT" 2>"$ERR" &
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
expect 0 put --pk id --newer-by v --in many
complains "300000 in = "
expect 0 put --pk id --newer-by v --in many
complains "300000 in = 0 put + 0 deleted + "
jq -r '"\(.id)\t\(.)"' many | awk -F'\t' '{last[$1] = $2} END {for (id in last) print last[id]}' | sort >want
store --scan --pattern 't:*' | sed 's/^/GET /' | redis-cli -p "$(cat redis.port)" | jq -c .row | sort >got
cmp want got || fail "the store is not the source after $killed kills"
proved "killed $killed times: each key has its newest row, nothing else is there"
