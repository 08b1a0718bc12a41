#!/bin/bash
# One document of windows through stream-agg, through the rendered job on a real broker, and through DuckDB: equal rows, late ones included.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=scripts/lib/oracles.sh
. "$ROOT/scripts/lib/oracles.sh"
# shellcheck source=scripts/lib/kafka.sh
. "$ROOT/scripts/lib/kafka.sh"
# shellcheck source=scripts/lib/spark.sh
. "$ROOT/scripts/lib/spark.sh"
need_duckdb || skip "DuckDB is missing"
need_kafka || skip "Kafka is missing"
need_spark || skip "Spark is missing"
PATH=$BAREPLANE_BIN:$PATH
trap 'status=$?; kafka_down "$WORK/kafka"; story_end $status' EXIT
cd "$WORK"
ROWS=${ROWS:-20000}
"$DUCKDB" "$ROOT/tests/oracles/windows.py" make rows "$ROWS"
kafka_up "$WORK/kafka"
kafka_topic V 7
for name in once.P once.late spark.P spark.late V.reject; do kafka_topic "$name" 2; done
# A row's partition is its field seven; what is broken comes in last.
put() { # put FILE: its rows
  for n in 0 1 2 3 4 5 6; do
    { grep -a "\"seven\": $n," "$1" || true; } | grep -a '}$' | kcat -b "$KAFKA" -P -t V -p "$n"
  done
}

document() { # document NAME: the step, its topics of that name
  cat <<YAML
version: 1
name: shop
kafka: {brokers: ["$KAFKA"]}
topics: {V: {partitions: 7}, $1.P: {}, $1.late: {}}
windows:
  - {name: minutes, from: [V], to: $1.P, time: {field: ts, watermark: 5s, late: $1.late}, window: {tumbling: 1m}, by: [country],
     aggregates: {n: count, sum: sum(amount), min: min(amount), max: max(amount), avg: avg(amount), high: "quantile(amount,0.99)",
                  first: first(ts), last: last(ts), sevens: distinct(seven)}}
YAML
}
document once >once.yaml
document spark >spark.yaml
spark-render --pipeline spark.yaml --step minutes --out job
spark-render --pipeline spark.yaml --step minutes --out again
diff -r job again || fail "rendered again, it is another"
cat >submit <<SH
#!/bin/sh
shift 4   # --name and --packages: the connector is here already
exec "$(dirname "$SPARK")/spark-submit" --master 'local[2]' --jars "$SPARK_JARS" --conf spark.sql.shuffle.partitions=2 \\
  --conf spark.driver.host=127.0.0.1 --conf spark.driver.bindAddress=127.0.0.1 --conf spark.ui.enabled=false "\$@"
SH
chmod +x submit
export PYSPARK_PYTHON=$SPARK SPARK_SUBMIT=$WORK/submit
run_job() { sh job/shop.minutes.sh --checkpoint "file:$WORK/checkpoint" --once "$@" >"$OUT" 2>"$ERR" || fail "the job fails"; }

half=$((ROWS / 2))
head -n "$half" rows >first
tail -n "+$((half + 1))" rows >second
put first
run_job
{ grep -av '}$' rows || true; } | kcat -b "$KAFKA" -P -t V -p 0
put second
run_job --flush
stream-agg --pipeline once.yaml --step minutes --kafka --until end --at-eof flush 2>"$ERR" || fail "stream-agg fails"

read_topic() { kcat -b "$KAFKA" -C -t "$1" -e -q -X isolation.level=read_committed; }
for what in P late; do
  for who in once spark; do read_topic "$who.$what" | LC_ALL=C sort >"$who.$what.rows"; done
  cmp once.$what.rows spark.$what.rows || fail "Spark's $what differs: $(diff once.$what.rows spark.$what.rows | head -4)"
done
[ -s spark.late.rows ] || fail "nothing was late"
proved "stream-agg and the job on Kafka, in two runs, send the same bytes: $(wc -l <spark.P.rows) windows, $(wc -l <spark.late.rows) late rows"
"$DUCKDB" "$ROOT/tests/oracles/windows.py" judge rows spark.P.rows spark.late.rows partitions >"$OUT" 2>&1 || fail "not what DuckDB says"
proved "DuckDB has the same groups, sums and late rows: $(cat "$OUT")"

dedupe() { kcat -b "$KAFKA" -C -t "$1" -e -q -f '%h\n'; }
for what in P late; do
  [ "$(dedupe spark.$what | grep -c '^dedupe=shop.minutes \|,dedupe=shop.minutes ')" = "$(wc -l <spark.$what.rows)" ] || fail "messages of $what without a key for deduplication"
  [ -z "$(dedupe spark.$what | sort | uniq -d)" ] || fail "two messages of $what have one key"
done
proved "every message has a key for deduplication of its own"
