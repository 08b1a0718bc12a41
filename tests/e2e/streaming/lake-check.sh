#!/bin/bash
# lake-sink --check finds what is damaged, in a folder and in S3; --ddl is what Hive's dialect can read, and names every folder there is.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=scripts/lib/oracles.sh
. "$ROOT/scripts/lib/oracles.sh"
# shellcheck source=scripts/lib/s3.sh
. "$ROOT/scripts/lib/s3.sh"
need_moto || skip "moto is missing"
need_sqlglot || skip "sqlglot is missing"
PATH=$BAREPLANE_BIN:$PATH
cd "$WORK"
trap 's3_down "$WORK"; story_end 143' TERM INT
end() { s3_down "$WORK"; story_end "$1"; }
trap 'end $?' EXIT
s3_up "$WORK"
s3_bucket lake

row() { printf '{"ts":"2026-01-%02dT00:00:00Z","name":"%s","n":%d}\n' "$1" "$2" "$1"; }
for day in 1 2 3; do for name in "it's" 'a/b=c' 'x`y' 'back\\\\slash' é ''; do row "$day" "$name"; done; done >rows
tail -6 rows >last
sink() { lake-sink --url "$1" --topic "it-s.P" --partition 'topic,dt=day(ts),name' --spool "$WORK" --in "$2" "${@:3}"; }
for url in file:lake s3://lake/place; do
  expect 0 sink "$url" rows
  expect 0 sink "$url" last --append
  expect 0 lake-sink -v --check --url "$url"
  complains "2 commits, 24 files, 24 rows; 0 things wrong"
done
proved "an intact lake is one, in a folder and in S3"

# finds CHECK FILE: the folder's lake with something done to it, and what is said of it.
finds() {
  expect 1 lake-sink --check --url file:broken
  jq -se --arg check "$1" --arg file "$2" \
    'any(.[]; .check == $check and .status == "fail" and (.file // .target | endswith($file)))' "$OUT" >/dev/null ||
    fail "no $1 of $2 is told"
  rm -rf broken
}
copied() { cp -r lake broken; }
one=$(cd lake && find . -name '*-0-17.parquet' -printf '%P\n' | sort | sed -n 1p)
copied && rm "broken/$one" && finds file-missing "$one"
copied && truncate -s -1 "broken/$one" && finds file-size "$one"
copied && size=$(stat -c %s "broken/$one") && truncate -s 0 "broken/$one" && truncate -s "$size" "broken/$one" && finds file-rows "$one"
copied && echo x >broken/stray.parquet && finds file-unknown stray.parquet
first=_log/00000000000000000001.json second=_log/00000000000000000002.json third=_log/00000000000000000003.json
copied && rm "broken/$first" && finds log-gap "commit 1"
copied && head -c 100 "lake/$second" >"broken/$second" && finds log-damaged "$second"
copied && sed 's/"from":18,/"from":20,/' "lake/$second" >"broken/$second" && finds offsets-gap "it-s.P 0"
copied && sed 's/"number":2/"number":3/' "lake/$second" >"broken/$third" && finds offsets-overlap "it-s.P 0"
copied && sed 's/"number":2/"number":3/' "lake/$second" >"broken/$third" && finds file-twice "$(cd lake && find . -name '*-18-23.parquet' -printf '%P\n' | sort | sed -n 1p)"
s3_remove lake "place/$first"
expect 1 lake-sink --check --url s3://lake/place
jq -se 'any(.[]; .check == "log-gap")' "$OUT" >/dev/null || fail "a missing entry in S3 is not told"
proved "what is gone, cut, overwritten, strange, doubled or out of order is told, each by its name"

expect 0 lake-sink --ddl athena --database 'my`db' --url file:lake
"$SQLGLOT" - "$OUT" <<'END' || fail "not what Hive's dialect reads: $(cat "$OUT")"
import os, sys, sqlglot
statements = sqlglot.parse(open(sys.argv[1]).read(), read="hive")
create, adds = statements[0], [s for s in statements[1:] if s is not None]
assert isinstance(create, sqlglot.exp.Create), create
table = create.find(sqlglot.exp.Table)
assert (table.db, table.name) == ("my`db", "it_s_P"), table
columns = [(c.name, c.kind.sql("hive").lower()) for c in create.this.expressions]
assert columns == [("ts", "timestamp"), ("n", "bigint")], columns
folders = {os.path.relpath(d, "lake") for d, _, files in os.walk("lake") if any(f.endswith(".parquet") for f in files)}
assert len(adds) == len(folders) == 18, (len(adds), len(folders))
END
proved "the statements are Hive's, and name all 18 folders with their hostile names"
