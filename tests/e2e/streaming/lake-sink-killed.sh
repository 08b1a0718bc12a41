#!/bin/bash
# lake-sink is killed at random moments, and at every step of a commit: the lake holds each row once, in a folder and in S3.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=scripts/lib/oracles.sh
. "$ROOT/scripts/lib/oracles.sh"
# shellcheck source=scripts/lib/s3.sh
. "$ROOT/scripts/lib/s3.sh"
need_duckdb || skip "DuckDB is missing"
need_moto || skip "moto is missing"
command -v strace >/dev/null || skip "strace is missing"
PATH=$BAREPLANE_BIN:$PATH
ROUNDS=10
[ -z "${SOAK:-}" ] || ROUNDS=100
cd "$WORK"
"$DUCKDB" "$ROOT/tests/oracles/lake.py" make rows 16000
good=$(wc -l <rows.good)
judge() { "$DUCKDB" "$ROOT/tests/oracles/lake.py" judge rows "$1" "$2"; }

# sink NAME URL WORDS…: some 30 commits. With EXEC="exec" in place of the shell, which could be killed in its stead.
sink() {
  local name=$1 url=$2
  shift 2
  ${EXEC:-} lake-sink --url "$url" --topic rows --partition 'topic,dt=day(ts)' --row-schema rows.schema --roll-bytes 64KiB \
    --spool "${SPOOL:-$WORK}" --reject "$name.reject" --in rows "$@"
}

# Where the lake of a name is, as a folder.
folder() {
  case $2 in
    s3:*) rm -rf "$1.got" && mkdir "$1.got" && s3_get lake "$1.got" && echo "$1.got/$1" ;;
    *) echo "$1" ;;
  esac
}

started=$(date +%s%3N)
expect 0 sink once file:once
whole_ms=$(($(date +%s%3N) - started))
commits=$(find once/_log -name '0*.json' | wc -l)
[ "$commits" -ge 20 ] || fail "only $commits commits: kills would find nothing to interrupt"
expect 0 judge once once.reject
proved "one run: $(cat "$OUT"), in $commits commits"
expect 0 sink once file:once -v
complains "16000 in = 0 written + 16000 held already + 0 rejected"
proved "the same input again adds nothing"

# killed NAME URL: rounds of a run that is killed, and one that is not.
killed() {
  local url=$2 round pid name place moment halfway=0
  for ((round = 1; round <= ROUNDS; round++)); do
    name=$1$round
    for moment in any committed; do
      EXEC="exec" sink "$name" "$url/$name" >"$OUT" 2>"$ERR" &
      pid=$!
      # The second kill waits for a commit, the machine may be as slow as it likes.
      [ "$moment" = any ] || within 60 eval 'grep -q lake-file "$OUT" || ! kill -0 "$pid"'
      sleep "$(awk -v most="$3" -v dice="$RANDOM" -v moment="$moment" 'BEGIN {print most / (moment == "any" ? 1000 : 5000) * dice / 32768}')"
      if kill -KILL "$pid" 2>/dev/null && grep -q lake-file "$OUT"; then halfway=$((halfway + 1)); fi
      wait "$pid" 2>/dev/null || true
    done
    expect 0 sink "$name" "$url/$name"
    expect 0 lake-sink -v --check --url "$url/$name"
    [ ! -s "$OUT" ] || fail "round $round: $(cat "$OUT")"
    complains "$good rows"
    # No gap, no overlap, as many rows: reading them all, which takes longer, is for some rounds.
    if [ $((round % 4)) = 1 ]; then
      place=$(folder "$name" "$url")
      expect 0 judge "$place" "$name.reject"
    fi
    rm -rf "$name" "$name.got" "$name.reject"
  done
  [ "$halfway" -ge $((ROUNDS / 5)) ] || fail "only $halfway of $((2 * ROUNDS)) kills came after the first commit"
  proved "$1: killed $((2 * ROUNDS)) times, $halfway of them halfway: each row is there once"
}

killed folder "file:$WORK" "$whole_ms"

# The links are what makes files and commits visible: spool file to name, entry to name.
for step in 1 2 3 4 5 6 7 8 9 10 11 12; do
  rm -rf stepped stepped.reject
  status=0
  { strace -f -qq -o /dev/null -e "trace=link,linkat,rename,renameat2" \
    -e "inject=link,linkat,rename,renameat2:signal=KILL:when=$step" \
    lake-sink --url file:stepped --topic rows --partition 'topic,dt=day(ts)' --row-schema rows.schema --roll-bytes 64KiB \
    --reject stepped.reject --in rows >"$OUT" 2>"$ERR"; } 2>/dev/null || status=$?
  [ "$status" = 137 ] || fail "step $step: status $status, not killed"
  # What the log does not know yet is on its way: no failure.
  ! compgen -G 'stepped/_log/0*.json' >/dev/null || expect 0 lake-sink --check --url file:stepped
  expect 0 sink stepped file:stepped
  expect 0 lake-sink --check --url file:stepped
  [ ! -s "$OUT" ] || fail "step $step: $(cat "$OUT")"
  expect 0 judge stepped stepped.reject
done
proved "killed at each of twelve steps of the first commits: what was left over is gone, each row is there once"

# A commit that was broken off ends where it did, even if everything else is cut elsewhere by now.
rm -rf cut cut.reject
{ strace -f -qq -o /dev/null -e "trace=link,linkat" -e "inject=link,linkat:signal=KILL:when=2" \
  lake-sink --url file:cut --topic rows --partition 'topic,dt=day(ts)' --row-schema rows.schema --reject cut.reject --in rows >"$OUT" 2>"$ERR"; } 2>/dev/null || true
put=$(find cut/topic=rows -name '*.parquet' -printf '%P\n')
[ -n "$put" ] || fail "nothing was put before the kill"
expect 0 sink cut file:cut
grep -q "topic=rows/$put\"" "$OUT" || fail "$put was not committed: $(cat "$OUT")"
expect 0 judge cut cut.reject
proved "a commit that was broken off is made again as it was"

s3_up "$WORK"
trap 's3_down "$WORK"; story_end 143' TERM INT
end() { s3_down "$WORK"; story_end "$1"; }
trap 'end $?' EXIT
s3_bucket lake
started=$(date +%s%3N)
expect 0 sink s3once s3://lake/s3once
whole_ms=$(($(date +%s%3N) - started))
expect 0 judge "$(folder s3once s3:)" s3once.reject
killed s3 s3://lake "$whole_ms"

# Two at once: the folder has a lock; in a bucket, from two machines, the log lets one of them in.
EXEC="exec" sink two file:two >two.out 2>&1 &
pid=$!
within 10 test -e two/_log/spool/rows-0/.lock
status=0
sink twice file:two >"$OUT" 2>"$ERR" || status=$?
if kill -0 "$pid" 2>/dev/null; then [ "$status" = 3 ] || fail "status $status, not 3, while another is at it"; fi
wait "$pid" || fail "the first of two failed: $(cat two.out)"
mkdir elsewhere
EXEC="exec" sink two s3://lake/two >two.out 2>&1 &
pid=$!
status=0
SPOOL=elsewhere sink twice s3://lake/two >"$OUT" 2>"$ERR" || status=$?
first=0
wait "$pid" || first=$?
case "$first $status" in
  "0 0" | "0 1" | "1 0") ;;
  *) fail "two at once ended with $first and $status: $(cat two.out "$ERR")" ;;
esac
expect 0 lake-sink --check --url s3://lake/two
cat two.reject twice.reject >both.reject
expect 0 judge "$(folder two s3:)" both.reject
proved "two at once, ended with $first and $status: each row is there once"
