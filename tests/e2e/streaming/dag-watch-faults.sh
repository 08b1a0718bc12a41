#!/bin/bash
# dag-watch beside a stand-in for Airflow that misbehaves: questions without an answer fail nothing, refusals do.
. "$(dirname "$0")/../lib.sh"
PATH=$BAREPLANE_BIN:$PATH
PID=""
end_stand_in() { [ -z "$PID" ] || { kill "$PID" && wait "$PID"; } 2>/dev/null || true; }
trap 'status=$?; end_stand_in; story_end $status' EXIT
cd "$WORK"
echo secret-of-the-tests >token
# airflow WORDS: the stand-in anew; URL is where it is.
airflow() {
  local port
  end_stand_in
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  URL=http://127.0.0.1:$port
  python3 "$ROOT/tests/oracles/airflow_faults.py" "$port" "$1" >stand-in.log 2>&1 &
  PID=$!
  within 20 curl -s -o /dev/null -X POST "$URL/up"
}
# With EXEC=exec it takes the place of its shell: a signal comes to the command itself.
watch() { ${EXEC:-} dag-watch --url "$URL" --dag shop --trigger --key "$1" --token-file token --every 10ms "${@:2}"; }

airflow queued,503,429,cut,garbled,401,running,503,success
expect 0 watch a --timeout 60s
says '.[-1] | .record == "dag-run" and .state == "success" and .error == null and .polls_failed == 6 and .polls_failed_in_a_row == 5'
says '[.[] | select(.record == "dag-state") | .state] == ["queued", "running", "success"]'
proved "503, 429, a cut answer, nonsense and a token that is renewed are asked again, and counted"

airflow failed
expect 1 watch b
says '.[-1].error == "dag_failed"'
airflow failed,failed,success
expect 0 watch c --retry-failed 2
says '.[-1] | .cleared == 2 and .error == null'
airflow failed
expect 1 watch d --retry-failed 3
says '.[-1].cleared == 3'
proved "failed tasks are cleared so many times, and no more"

airflow 401
expect 2 watch e
complains "auth"
airflow 404
expect 2 watch f
complains "no_such_run"
proved "a token that is refused from the beginning, and a run that is not there, are status 2"

airflow running
expect 3 watch g --timeout 1s
says '.[-1].error == "deadline"'
airflow 503
expect 3 watch h --fail-after 2
says '.[-1] | .error == "network" and .polls_failed_in_a_row == 2'
# Its own state says which run it was, and that one of them is enough.
airflow running
EXEC="exec" watch i --state state >first 2>"$ERR" &
first=$!
within 20 test -s state
expect 3 watch i --state state
kill -TERM "$first"
status=0
wait "$first" || status=$?
[ "$status" = 3 ] || fail "status $status after a signal"
[ "$(tail -n 1 first | jq -r .error)" = interrupted ] || fail "it does not say that it was interrupted"
! grep -rq secret-of-the-tests state first "$OUT" "$ERR" || fail "the token was told"
proved "the deadline, nobody who answers, a signal and a second watcher are status 3"
