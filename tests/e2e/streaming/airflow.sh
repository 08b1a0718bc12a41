#!/bin/bash
# dag-render's DAG in a real Airflow, on real Kafka: a step that is unavailable goes up for retry, an invalid one fails with one try.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=scripts/lib/oracles.sh
. "$ROOT/scripts/lib/oracles.sh"
# shellcheck source=scripts/lib/kafka.sh
. "$ROOT/scripts/lib/kafka.sh"
# shellcheck source=scripts/lib/airflow.sh
. "$ROOT/scripts/lib/airflow.sh"
need_kafka || skip "Kafka is missing"
need_airflow || skip "Airflow is missing"
command -v sqlite3 >/dev/null || skip "sqlite3 is missing"
trap 'status=$?; airflow_down "$WORK/airflow"; kafka_down "$WORK/kafka"; story_end $status' EXIT
cd "$WORK"

# A program that is unavailable once, then itself; and one that waits for a file, and says that it runs.
mkdir bin
cat >bin/kafka-relay <<SH
#!/bin/sh
[ -e $WORK/was-unavailable ] || { touch $WORK/was-unavailable; exit 3; }
exec $BAREPLANE_BIN/kafka-relay "\$@"
SH
cat >bin/lake-sink <<SH
#!/bin/sh
echo \$\$ >>$WORK/lake-sinks
while [ -e $WORK/hold ]; do sleep 0.1; done
exec $BAREPLANE_BIN/lake-sink "\$@"
SH
chmod +x bin/*
PATH=$WORK/bin:$BAREPLANE_BIN:$PATH

kafka_up "$WORK/kafka"
sqlite3 a.db 'create table orders (id integer primary key, ts text, country text, amount text);
  with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000)
  insert into orders select i, strftime("%Y-%m-%dT%H:%M:%SZ", 1767225600 + i, "unixepoch"), iif(i % 2, "DE", "SE"), i || ".25" from n;'
cat >shop.yaml <<YAML
version: 1
name: shop
databases: {A: {url: "sqlite:$WORK/a.db"}}
kafka: {brokers: ["$KAFKA"]}
topics: {V: {partitions: 2, key: [id]}, P: {}}
sources:
  - {name: a-orders, from: A, table: orders, mode: incremental, cursor: [id], to: V, clean: [{require: [id, ts]}, {cast: {amount: "decimal(12,2)"}}]}
windows:
  - {name: v-minutes, from: [V], to: P, time: {field: ts, watermark: 5s}, window: {tumbling: 1m}, by: [country], aggregates: {n: count, sum: sum(amount)}}
sinks:
  - {kind: lake, name: lake, from: [P], url: "file:$WORK/lake", partition: [topic]}
schedule: {cron: "0 0 29 2 *", retries: 2, delay: 1s, backoff: 1, timeout: 2m}
watch: {lag_max: 100000, lag_for: 1s}
YAML
sed "s/^name: shop/name: broken/" shop.yaml >broken.yaml
kafka-topics apply --pipeline shop.yaml >/dev/null
kafka_tool TopicCommand --create --if-not-exists --topic shop.v-minutes.parts --partitions 2 >/dev/null 2>&1 || true
airflow_home "$WORK/airflow"
dag-render --document "$WORK/shop.yaml" --state "$WORK/state" --out airflow/dags/shop.py shop.yaml
dag-render --document "$WORK/nowhere.yaml" --state "$WORK/broken" --out airflow/dags/broken.py broken.yaml

# Without a database and a network; hostile names are data.
cat >hostile.yaml <<'YAML'
version: 1
name: hostile
kafka: {brokers: ["127.0.0.1:9"]}
databases: {A: {url: "sqlite:a.db"}}
topics: {V: {}, P: {}}
sources:
  - {name: a, from: A, table: "x'\"\"\"); import os; os.system('touch owned') #{{ ti }}$(touch owned)`touch owned`\\", to: V}
windows:
  - {name: w, from: [V], to: P, time: {field: "\"\"\"\\", watermark: 1s}, window: {tumbling: 1m}, by: ["{{ 1/0 }}"], aggregates: {"'; touch owned": count}}
YAML
dag-render --document "{{ 1/0 }}'\"\$(touch owned)" --state "$WORK/hostile" --out hostile.py hostile.yaml
mkdir empty
(cd empty && export AIRFLOW_HOME=$WORK/empty AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=sqlite:////nowhere/none.db &&
  unshare -n "$AIRFLOW/python" -c 'import sys; sys.path.insert(0, ".."); import hostile; print(*hostile.STEPS[1]["programs"][0], sep="\n")') >"$OUT" 2>"$ERR" || fail "importing it fails"
if [ -e owned ] || [ -e empty/owned ]; then fail "a name became code"; fi
grep -qF "{{ 1/0 }}'\"\$(touch owned)" "$OUT" || fail "the document's path is another"
proved "it is imported without a database and a network, and hostile names are data"

airflow_up "$WORK/airflow"
api() { curl -sf --max-time 20 -H "authorization: Bearer $(cat airflow/token)" -H 'content-type: application/json' "$AIRFLOW_URL/api/v2/$1" "${@:2}"; }
known() { api dags/shop >/dev/null && api dags/broken >/dev/null; }
within 120 known
errors=$(api importErrors | jq -r '.import_errors[].stack_trace')
[ -z "$errors" ] || fail "$errors"
for dag in shop broken; do
  api "dags/$dag" -X PATCH -d '{"is_paused":false}' >/dev/null
  api "dags/$dag/dagRuns" -d '{"dag_run_id":"one","logical_date":null}' >/dev/null
done
state_is() { [ "$(api "dags/$1/dagRuns/one" | jq -r .state)" = "$2" ]; }
tries() { api "dags/$1/dagRuns/one/taskInstances/$2/tries" | jq -c '[.task_instances[].state]'; }
within 60 state_is broken failed
[ "$(tries broken check.topics)" = '["failed"]' ] || fail "an invalid step is tried $(tries broken check.topics)"
proved "a step that is invalid fails with one try"
done_with() { state_is shop success || state_is shop failed; }
within 180 done_with
[ "$(tries shop a-orders)" = '["failed","success"]' ] || fail "the source is tried $(tries shop a-orders)"
state_is shop success || find airflow/logs -path '*dag_id=shop*' -name '*.log' -exec grep -h '"level":"error"\|task.std' {} + | cut -c1-600
state_is shop success || fail "the run fails: $(api dags/shop/dagRuns/one/taskInstances | jq -c '[.task_instances[] | {task_id, state}]')"
rows=$(kcat -b "$KAFKA" -C -t P -e -q -X isolation.level=read_committed | jq -s 'map(.n) | add')
[ "${rows:-0}" -gt 0 ] || fail "no windows were sent"
[ "$(kcat -b "$KAFKA" -C -t V -e -q -X isolation.level=read_committed | wc -l)" = 1000 ] || fail "topic V has not each row once"
proved "a source that was unavailable goes up for retry, then succeeds; 1000 rows came through, $rows of them in closed windows"

# From here on the lake's step waits while the file is there, and says when it runs.
runs() { api "dags/$1/dagRuns" | jq .total_entries; }
# With EXEC=exec it takes the place of its shell: what is killed then is the command itself.
watch() { ${EXEC:-} dag-watch --url "$AIRFLOW_URL" --token-file airflow/token --every 200ms "$@"; }
touch hold
rm -f lake-sinks
before=$(runs shop)
EXEC="exec" watch --dag shop --trigger --key monday --state watch.state >killed.out 2>"$ERR" &
watcher=$!
within 120 test -s lake-sinks
{ kill -KILL "$watcher" && wait "$watcher"; } 2>/dev/null || true
EXEC="exec" watch --dag shop --trigger --key monday --state watch.state >"$OUT" 2>"$ERR" &
watcher=$!
within 30 grep -q '"task":"lake"' "$OUT"
# The API goes and comes back: questions without an answer fail nothing.
airflow_kill airflow api-server
sleep 2
airflow_start airflow api-server
within 120 airflow_token airflow
rm hold
status=0
wait "$watcher" || status=$?
[ "$status" = 0 ] || fail "status $status of the second watcher"
says '.[-1] | .attached and .state == "success" and .polls_failed > 0'
[ "$(runs shop)" = $((before + 1)) ] || fail "there are $(runs shop) runs, not $((before + 1))"
[ "$(wc -l <lake-sinks)" = 2 ] || fail "the lake's step was started $(wc -l <lake-sinks) times"
proved "a dag-watch that was killed takes up the same run, and an API that is gone for a while fails nothing"
expect 0 watch --dag shop --trigger --key monday
says '.[-1] | .attached and .state == "success"'
[ "$(runs shop)" = $((before + 1)) ] || fail "the same key began a second run"
proved "the same key is the same run"
expect 1 watch --dag broken --run one --retry-failed 1
says '.[-1] | .cleared == 1 and .error == "dag_failed"'
[ "$(tries broken check.topics)" = '["failed","failed"]' ] || fail "it was tried $(tries broken check.topics)"
expect 2 watch --dag nothing --trigger
complains no_such_dag
expect 2 watch --dag shop --run nothing
complains no_such_run
echo wrong >wrong
expect 2 dag-watch --url "$AIRFLOW_URL" --token-file wrong --dag shop --run one
complains auth
proved "failed tasks are cleared within the bound; no such DAG or run and a wrong token are status 2"

# A worker that dies takes its programs with it, and while one is left no second is started.
touch hold
: >lake-sinks
cat >worker.py <<'PY'
import sys
sys.path.insert(0, "airflow/dags")
import shop
number = next(n for n, step in enumerate(shop.STEPS) if step["id"] == "lake")
shop.tasks["lake"].operator.python_callable(number)
PY
"$AIRFLOW/python" worker.py >worker.log 2>&1 &
worker=$!
within 60 test -s lake-sinks
! "$AIRFLOW/python" worker.py >second.log 2>&1 || fail "a second stream was started"
grep -q 'still at work' second.log || fail "it does not say that one is at work: $(tail -n 1 second.log)"
[ "$(wc -l <lake-sinks)" = 1 ] || fail "a second stream was started"
{ kill -KILL "$worker" && wait "$worker"; } 2>/dev/null || true
ended() { ! kill -0 "$(cat lake-sinks)" 2>/dev/null; }
within 20 ended
proved "a worker that is killed takes its stream with it, and starts no second beside it"
