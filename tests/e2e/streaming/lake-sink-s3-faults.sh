#!/bin/bash
# lake-sink in front of an S3 that stalls, cuts and loses answers, one that refuses, and a folder whose disk is full.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=scripts/lib/oracles.sh
. "$ROOT/scripts/lib/oracles.sh"
# shellcheck source=scripts/lib/s3.sh
. "$ROOT/scripts/lib/s3.sh"
need_duckdb || skip "DuckDB is missing"
need_moto || skip "moto is missing"
PATH=$BAREPLANE_BIN:$PATH
cd "$WORK"
trap 's3_down "$WORK"; umount "$WORK/small" 2>/dev/null || true; story_end 143' TERM INT
end() {
  s3_down "$WORK"
  umount "$WORK/small" 2>/dev/null || true
  story_end "$1"
}
trap 'end $?' EXIT
"$DUCKDB" "$ROOT/tests/oracles/lake.py" make rows 16000
judge() { "$DUCKDB" "$ROOT/tests/oracles/lake.py" judge rows "$1" "$2"; }
# Rows nothing can shrink: files large enough to be put in parts.
python3 -c 'import random
for n in range(300_000): print("{\"id\":%d,\"x\":\"%0128x\"}" % (n, random.getrandbits(512)))' >large

sink() { lake-sink --topic rows --partition 'dt=day(ts)' --row-schema rows.schema --spool "$WORK" --in rows "$@"; }
got() { rm -rf got && mkdir got && s3_get lake got; }

s3_up "$WORK"
s3_bucket lake
s3_faults "$WORK" mixed
expect 0 sink --url s3://lake/mixed --endpoint "$S3_FAULTS" --roll-bytes 64KiB --reject mixed.reject --attempt 1s
got
expect 0 judge got/mixed mixed.reject
expect 0 lake-sink --check --url s3://lake/mixed
[ ! -s "$OUT" ] || fail "$(cat "$OUT")"
expect 0 lake-sink --url s3://lake/large --endpoint "$S3_FAULTS" --in large --spool "$WORK" --attempt 2s
grep -c '^[0-9]* [a-z]*$' faults.log >count
grep -q uploadId faults.log || fail "the large file was not put in parts"
expect 0 lake-sink -v --check --url s3://lake/large
complains "300000 rows"
proved "$(cat count) requests stalled, cut, refused or left without their answer: each row is there once"

# refuses MODE STATUS TEXT: what a server that always does this leads to, and what the lake holds afterwards.
refuses() {
  s3_down_faults
  s3_faults "$WORK" "$1"
  expect "$2" sink --url s3://lake/refused --endpoint "$S3_FAULTS" --reject refused.reject --attempt 300ms --tries 3
  complains "$3"
  ! grep -q secret-of-the-tests "$ERR" || fail "the secret is in the message"
}
s3_down_faults() {
  kill "$(cat faults.pid)"
  wait "$(cat faults.pid)" 2>/dev/null || true
  rm -f faults.pid
}
refuses busy 3 "answered 503: SlowDown: Please reduce your request rate."
refuses hanging 3 "no answer in time"
refuses broken 3 "refused/_log/"
refuses forbidden 2 "answered 403: AccessDenied"
refuses unauthorized 2 "answered 401: InvalidAccessKeyId"
expect 3 sink --url s3://lake/refused --endpoint http://127.0.0.1:1 --reject refused.reject --tries 2
complains "connection refused"
expect 2 sink --url s3://nobodys/refused --reject refused.reject
complains "NoSuchBucket"
expect 2 env -u AWS_ACCESS_KEY_ID HOME=/nonexistent lake-sink --url s3://lake/refused --in rows
complains "looking for credentials"
rm -f refused.reject
expect 0 sink --url s3://lake/refused --reject refused.reject
got
expect 0 judge got/refused refused.reject
proved "who is busy or gone is status 3, who refuses is status 2, and both leave nothing half done"

# From a file, in the form of the AWS tools.
printf '[default]\naws_access_key_id = key\naws_secret_access_key = secret-of-the-tests\n' >credentials
expect 0 env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY AWS_SHARED_CREDENTIALS_FILE=credentials \
  lake-sink --check --url s3://lake/refused
expect 0 env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY lake-sink --credentials-file credentials --check --url s3://lake/refused
proved "credentials come from the environment or a file"

mkdir small
if mount -t tmpfs -o size=600k none small 2>/dev/null; then
  expect 3 sink --url file:small/lake --roll-bytes 64KiB --reject small.reject
  complains "No space left on device"
  expect 0 lake-sink --check --url file:small/lake
  mount -o remount,size=20m none small
  expect 0 sink --url file:small/lake --roll-bytes 64KiB --reject small.reject
  expect 0 lake-sink --check --url file:small/lake
  [ ! -s "$OUT" ] || fail "$(cat "$OUT")"
  expect 0 judge small/lake small.reject
  proved "a full disk is status 3; with more room the next run goes on, each row once"
fi
