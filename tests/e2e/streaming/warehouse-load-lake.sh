#!/bin/bash
# A lake's commits become rows of PostgreSQL, each once: folder and bucket, by arguments and by the document, killed in between.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=scripts/lib/oracles.sh
. "$ROOT/scripts/lib/oracles.sh"
# shellcheck source=scripts/lib/s3.sh
. "$ROOT/scripts/lib/s3.sh"
# shellcheck source=scripts/lib/databases.sh
. "$ROOT/scripts/lib/databases.sh"
need_databases || skip "PostgreSQL is missing"
need_moto || skip "moto is missing"
PATH=$BAREPLANE_BIN:$PATH
cd "$WORK"
trap 'ended=$?; postgres_down "$WORK/pg"; s3_down "$WORK"; story_end $ended' EXIT
postgres_up "$WORK/pg"
s3_up "$WORK"
s3_bucket lake
URL=postgres://app@127.0.0.1:$(cat pg/port)/postgres
(umask 077 && echo app-secret >pw)
pg() { postgres_do "$WORK/pg" -At "$@"; }
columns='(id bigint PRIMARY KEY, country text, amount numeric(12,2), ts timestamptz, d date, ok boolean, note jsonb)'
pg -c 'SET ROLE app' -c "CREATE TABLE folder$columns" -c "CREATE TABLE bucket$columns" -c "CREATE TABLE step$columns"
echo '{"id":"int","country":"string","amount":"decimal(12,2)","ts":"timestamp","d":"date","ok":"bool","note":"json"}' >row-schema
# part FROM TO
part() {
  python3 - "$@" <<'END'
import json, sys
for n in range(int(sys.argv[1]), int(sys.argv[2])):
    print(json.dumps({"id": n % 9000, "country": "DEFRIT"[n % 3 * 2:][:2], "amount": float(f"-{n % 100}.{n % 10}5"), "ts": f"2026-01-0{n % 3 + 1}T10:00:00.00{n % 10}Z",
                      "d": None if n % 7 == 0 else "2026-02-28", "ok": n % 2 == 0, "note": {"n": n, "é": ["\"'\\", None]}}, ensure_ascii=False))
END
}
into() { lake-sink --url "$1" --topic P --row-schema row-schema --partition 'dt=day(ts),country' --source "$2" --in "$3"; }
load() { warehouse-load apply --url "$URL" --password file:pw --mode merge --key id "$@"; }
# The newest row of each key, as the source has it.
want() { cat "$@" | jq -Sc . | awk -F'"id":' '{id = $2; sub(/,.*/, "", id); last[id] = $0} END {for (id in last) print last[id]}' | sort; }
got() {
  pg -c "SET TimeZone = 'UTC'" -c "SELECT json_build_object('id', id, 'country', country, 'amount', amount, 'ts', to_char(ts, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), 'd', d, 'ok', ok, 'note', note) FROM $1" |
    jq -Sc . | sort
}

part 0 5000 >one
part 5000 20000 >two
for place in folder bucket; do
  lake=file:lake
  [ "$place" = folder ] || lake=s3://lake/agg
  expect 0 into "$lake" a one
  expect 1 warehouse-load plan --url "$URL" --password file:pw --table $place --mode merge --key id --lake "$lake" --topic P
  says '.[0] | .load_id == "lake:P/a/0-4999" and .rows == 5000 and (.sql | length) > 3'
  expect 0 load --table $place --lake "$lake"
  says 'length == 1 and (.[0] | .load_id == "lake:P/a/0-4999" and .inserted == 5000)'
  expect 0 into "$lake" b two
  expect 0 load --table $place --lake "$lake"
  says 'length == 1 and (.[0] | .load_id == "lake:P/b/0-14999" and .rows == 15000 and .superseded == 6000 and .inserted + .updated == 9000)'
  expect 0 load --table $place --lake "$lake"
  [ ! -s "$OUT" ] || fail "nothing is new, and yet: $(cat "$OUT")"
  # Folders have an order of their own within a commit, so of two rows with one key in one
  # commit the last of its files counts; across commits the later.
  [ "$(pg -c "SELECT count(*), count(DISTINCT id) FROM $place")" = "9000|9000" ] || fail "$place has $(pg -c "SELECT count(*) FROM $place")"
done
got folder >folder.got
got bucket >bucket.got
cmp folder.got bucket.got || fail "folder and bucket differ"
cat one two | jq -Sc . | sort >source
[ "$(comm -23 folder.got source | wc -l)" = 0 ] || fail "rows nobody wrote: $(comm -23 folder.got source | head -2)"
proved "a lake in a folder and one in a bucket are loaded commit by commit, what is new alone, and every value is one of the source's"

cat >pipeline.yaml <<END
version: 1
name: shop
kafka: {brokers: ["127.0.0.1:9092"]}
topics: {P: {}}
sinks:
  - {kind: lake, name: lake, from: [P], url: "file:lines"}
  - {kind: warehouse, name: wh, from: lake, url: "$URL", password: "file:pw", table: step, mode: merge, key: [id]}
END
ROUNDS=10
[ -z "${SOAK:-}" ] || ROUNDS=100
commits=0
commit() {
  part $((commits * 1000)) $((commits * 1000 + 1500)) >"lines-$commits"
  expect 0 lake-sink --url file:lines --topic P --row-schema row-schema --source "s$commits" --in "lines-$commits"
  commits=$((commits + 1))
}
for ((n = 0; n < ROUNDS; n++)); do commit; done
killed=0
for ((most = 100; ; most += most / 3)); do
  warehouse-load apply --pipeline pipeline.yaml --step wh >"$OUT" 2>"$ERR" &
  pid=$!
  sleep "$(awk -v most="$most" -v dice="$RANDOM" 'BEGIN {print most / 1000 * dice / 32768}')"
  kill -KILL "$pid" 2>/dev/null || true
  status=0
  wait "$pid" 2>/dev/null || status=$?
  case $status in
    0)
      [ "$killed" -lt "$ROUNDS" ] || break
      # It was through: more to do, and the moments come sooner.
      commit
      commit
      most=$((most / 3 + 1))
      ;;
    137) killed=$((killed + 1)) ;;
    3) complains locked ;;
    *) fail "status $status" ;;
  esac
done
expect 0 warehouse-load apply -v --pipeline pipeline.yaml --step wh
[ ! -s "$OUT" ] || fail "nothing is new, and yet: $(cat "$OUT")"
got step >step.got
for ((n = 0; n < commits; n++)); do cat "lines-$n"; done | jq -Sc . |
  jq -nc 'reduce inputs as $row ({}; .[$row.id | tostring] = $row) | .[]' | sort >step.want
cmp step.want step.got || fail "the table is not the source after $killed kills"
[ "$(pg -c "SELECT count(*), sum(rows) FROM bareplane_loads WHERE target = 'public.step'")" = "$commits|$((commits * 1500))" ] || fail "the ledger has other loads"
proved "killed $killed times, by the document: the table is the source, each commit is in the ledger once"

pg -c 'CREATE TABLE gone(id bigint, country text)' -c 'ALTER TABLE gone OWNER TO app'
expect 2 warehouse-load apply --url "$URL" --password file:pw --table gone --lake file:lines
complains "amount: schema_changed"
truncate -s -1 lines/P-s0-*.parquet
pg -c 'TRUNCATE step' -c "DELETE FROM bareplane_loads WHERE target = 'public.step'"
expect 2 warehouse-load apply --pipeline pipeline.yaml --step wh
complains "bytes, and not"
rm lines/P-s0-*.parquet
expect 2 warehouse-load apply --pipeline pipeline.yaml --step wh
complains "it is gone"
[ "$(pg -c 'SELECT count(*) FROM step')" = 0 ] || fail "rows of a broken commit are there"
proved "a column too many, a file cut short and one that is gone are told, and nothing of them is loaded"
