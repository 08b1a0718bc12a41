#!/bin/bash
# lake-sink reads topics of a real broker and is killed at random moments: the lake holds each message once, and no group is asked.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=scripts/lib/oracles.sh
. "$ROOT/scripts/lib/oracles.sh"
# shellcheck source=scripts/lib/kafka.sh
. "$ROOT/scripts/lib/kafka.sh"
need_duckdb || skip "DuckDB is missing"
need_kafka || skip "Kafka is missing"
PATH=$BAREPLANE_BIN:$PATH
ROUNDS=10
[ -z "${SOAK:-}" ] || ROUNDS=100
trap 'status=$?; kafka_down "$WORK"; story_end $status' EXIT
kafka_up "$WORK" || fail "Kafka does not come up"
cd "$WORK"
"$DUCKDB" "$ROOT/tests/oracles/lake.py" make rows 16000
good=$(wc -l <rows.good)
judge() { "$DUCKDB" "$ROOT/tests/oracles/lake.py" judge rows "$1" "$2"; }
kafka_topic R 4
kcat -b "$KAFKA" -P -t R -l rows -X batch.num.messages=500

# sink NAME WORDS…
sink() {
  local name=$1
  shift
  ${EXEC:-} lake-sink --in topic:R --brokers "$KAFKA" --url "file:$name" --partition 'topic,dt=day(ts)' --row-schema rows.schema \
    --roll-bytes 16KiB --reject "$name.reject" "$@"
}

started=$(date +%s%3N)
expect 0 sink once --until end -v
complains "16000 in = $good written + 0 held already + $((16000 - good)) rejected"
whole_ms=$(($(date +%s%3N) - started))
expect 0 judge once once.reject
expect 0 sink once --until end -v
complains "0 in = 0 written"
proved "four partitions, one run: each message is there once; the next run has nothing to do"

halfway=0
for ((round = 1; round <= ROUNDS; round++)); do
  for moment in any committed; do
    EXEC="exec" sink killed --until end >"$OUT" 2>"$ERR" &
    pid=$!
    # The second kill waits for a commit, the machine may be as slow as it likes.
    [ "$moment" = any ] || within 60 eval 'grep -q lake-file "$OUT" || ! kill -0 "$pid"'
    sleep "$(awk -v most="$whole_ms" -v dice="$RANDOM" -v moment="$moment" 'BEGIN {print most / (moment == "any" ? 1000 : 5000) * dice / 32768}')"
    if kill -KILL "$pid" 2>/dev/null && grep -q lake-file "$OUT"; then halfway=$((halfway + 1)); fi
    wait "$pid" 2>/dev/null || true
  done
  expect 0 sink killed --until end
  expect 0 lake-sink -v --check --url file:killed
  [ ! -s "$OUT" ] || fail "round $round: $(cat "$OUT")"
  complains "$good rows"
  [ $((round % 4)) != 1 ] || expect 0 judge killed killed.reject
  rm -rf killed killed.reject
done
[ "$halfway" -ge $((ROUNDS / 5)) ] || fail "only $halfway of $((2 * ROUNDS)) kills came after the first commit"
proved "killed $((2 * ROUNDS)) times, $halfway of them halfway: each message is there once"

# As a pipe of messages: the same rows, the same offsets, the same files.
kafka-relay --from topic:R --until end --brokers "$KAFKA" >messages 2>"$ERR"
expect 0 lake-sink --messages --in messages --url file:piped --partition 'topic,dt=day(ts)' --row-schema rows.schema \
  --roll-bytes 16KiB --reject piped.reject
expect 0 judge piped piped.reject
diff <(cd once && find topic=R -type f | sort) <(cd piped && find topic=R -type f | sort) || fail "other files by a pipe"
expect 0 sink piped --until end -v
complains "0 in = 0 written"
proved "through kafka-relay it is the same lake, and the topic goes on from there"

EXEC="exec" sink live --roll-age 200ms >live.out 2>"$ERR" &
pid=$!
within 30 test -s live.out
kcat -b "$KAFKA" -P -t R -l rows
within 30 eval '[ "$(lake-sink -v --check --url file:live 2>&1 | sed -n "s/.* files, \([0-9]*\) rows.*/\1/p")" = $((2 * good)) ]'
kill "$pid"
status=0
wait "$pid" || status=$?
[ "$status" = 0 ] || fail "status $status, not 0, after a signal to a run without end"
expect 0 lake-sink --check --url file:live
proved "without an end it takes what comes, until a signal"
expect 3 lake-sink --in topic:R --until end --brokers 127.0.0.1:1 --url file:nobody --timeout 2s
expect 2 lake-sink --in topic:Z --until end --brokers "$KAFKA" --url file:nobody
complains no_such_topic
proved "nobody there is status 3, no such topic status 2"
