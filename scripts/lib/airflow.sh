# shellcheck shell=bash
# A real Airflow on loopback, with SQLite: API server, scheduler, processor of DAG files.
#
#   need_airflow          installs it, once, into the cache; AIRFLOW is its folder of programs
#   airflow_home DIR      what its programs need to know; AIRFLOW_URL is where its API will be
#   airflow_up DIR        starts it; DAG files go into DIR/dags, a token is in DIR/token
#   airflow_kill DIR WHAT kill -9 of api-server, scheduler or dag-processor, and of what it started
#   airflow_start DIR WHAT…
#   airflow_down DIR      ends all of them; the folder stays

AIRFLOW_WHEEL=apache-airflow==3.3.2

need_airflow() {
  local venv=$ORACLES_CACHE/$AIRFLOW_WHEEL
  AIRFLOW=$venv/bin
  [ ! -e "$venv/complete" ] || return 0
  say "installing $AIRFLOW_WHEEL from PyPI into $venv (some hundred megabytes)"
  { need_venv && python3 -m venv "$venv" && "$AIRFLOW/pip" install -q "$AIRFLOW_WHEEL" && touch "$venv/complete"; } >&2 || {
    say "Airflow could not be installed"
    rm -rf "$venv"
    return 1
  }
}

airflow_home() {
  local port
  mkdir -p "$1/dags"
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  AIRFLOW_URL=http://127.0.0.1:$port
  export AIRFLOW_HOME=$1 AIRFLOW__CORE__LOAD_EXAMPLES=False AIRFLOW__CORE__DAGS_FOLDER=$1/dags
  export AIRFLOW__CORE__PARALLELISM=2 AIRFLOW__API__WORKERS=1 AIRFLOW__API__PORT=$port AIRFLOW__API__HOST=127.0.0.1
  export AIRFLOW__API__BASE_URL=$AIRFLOW_URL AIRFLOW__CORE__EXECUTION_API_SERVER_URL=$AIRFLOW_URL/execution/
  export AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL=5 AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL=5
  export AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC=1 AIRFLOW__LOGGING__LOGGING_LEVEL=WARNING
  export AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS=ops:admin AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE=$1/passwords
  echo '{"ops": "password-of-the-tests"}' >"$1/passwords"
}

airflow_up() {
  airflow_home "$1"
  "$AIRFLOW/airflow" db migrate >"$1/migrate.log" 2>&1 || return 1
  airflow_start "$1" api-server scheduler dag-processor
  wait_for 120 airflow_token "$1" || {
    tail -n 5 "$1"/*.log >&2
    return 1
  }
}

airflow_start() {
  local dir=$1 what
  shift
  for what in "$@"; do
    setsid "$AIRFLOW/airflow" "$what" >>"$dir/$what.log" 2>&1 </dev/null &
    echo $! >"$dir/$what.pid"
  done
}

airflow_token() {
  curl -sf --max-time 10 -H 'content-type: application/json' "$AIRFLOW_URL/auth/token" \
    -d '{"username":"ops","password":"password-of-the-tests"}' | jq -er .access_token >"$1/token.new" && mv "$1/token.new" "$1/token"
}

airflow_kill() {
  local dir=$1 what pid
  shift
  for what in "$@"; do
    pid=$(cat "$dir/$what.pid")
    # Each leads a process group of its own; the shell would announce its child's death.
    { kill -KILL -- "-$pid" && wait "$pid"; } 2>/dev/null || true
    rm -f "$dir/$what.pid"
  done
}

airflow_down() {
  local file
  for file in "$1"/*.pid; do
    [ ! -e "$file" ] || airflow_kill "$1" "$(basename "$file" .pid)"
  done
}
