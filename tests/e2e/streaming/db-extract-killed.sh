#!/bin/bash
# db-extract is killed at random moments while the tables change: what its reader has, each row once, is the table.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=scripts/lib/setup.sh
. "$ROOT/scripts/lib/setup.sh"
# shellcheck source=scripts/lib/databases.sh
. "$ROOT/scripts/lib/databases.sh"
need_databases || skip "the databases are missing"
PATH=$BAREPLANE_BIN:$PATH
ROUNDS=10
[ -z "${SOAK:-}" ] || ROUNDS=100
ROWS=20000
cd "$WORK"
trap 'ended=$?; postgres_down "$WORK/pg"; mariadb_down "$WORK/my"; story_end $ended' EXIT

postgres_up "$WORK/pg"
mariadb_up "$WORK/my" --innodb-flush-log-at-trx-commit=2
PG=postgres://postgres@127.0.0.1:$(cat pg/port)/postgres
MY="mysql://root@localhost/shop?host=$WORK/my/s.sock"

# sql KIND STATEMENT…
sql() {
  case $1 in
    sqlite) sqlite3 -cmd '.timeout 20000' a.db "$2" >/dev/null ;;
    postgres) postgres_do "$WORK/pg" -c "$2" >/dev/null ;;
    mariadb) mariadb_do "$WORK/my" shop -e "$2" ;;
  esac
}
url() { case $1 in sqlite) echo sqlite:a.db ;; postgres) echo "$PG" ;; mariadb) echo "$MY" ;; esac; }
declare -A NOW=([sqlite]="strftime('%Y-%m-%d %H:%M:%f','now')" [postgres]='clock_timestamp()' [mariadb]='now(6)')
declare -A TIME=([sqlite]=text [postgres]=timestamptz [mariadb]='timestamp(6)')
TEN="(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"

# fill KIND TABLE: rows that have been there for a while.
fill() {
  local old
  case $1 in
    sqlite) old="strftime('%Y-%m-%d %H:%M:%f','now','-1 hour')" ;;
    postgres) old="clock_timestamp() - interval '1 hour'" ;;
    mariadb) old="now(6) - interval 1 hour" ;;
  esac
  sql "$1" "CREATE TABLE $2(id bigint PRIMARY KEY, amount numeric(12,2), note text, updated_at ${TIME[$1]} NOT NULL);
    INSERT INTO $2 SELECT n.id, n.id / 4.0, 'row', $old FROM
      (SELECT a.d + 10 * b.d + 100 * c.d + 1000 * d.d + 10000 * e.d AS id FROM $TEN a, $TEN b, $TEN c, $TEN d, $TEN e) n WHERE n.id < $ROWS;
    CREATE INDEX ${2}_by_time ON $2(updated_at, id);"
}

# change KIND TABLE ROUND: rows come, change, and with a fourth word go; one transaction each.
change() {
  local kind=$1 table=$2 round=$3 first=$((100000 + 1000 * $3))
  sql "$kind" "INSERT INTO $table SELECT $first + a.d + 10 * b.d, 0.5, 'new', ${NOW[$kind]} FROM $TEN a, $TEN b"
  sql "$kind" "UPDATE $table SET amount = amount + 1, updated_at = ${NOW[$kind]} WHERE id % 97 = $((round % 97))"
  [ -z "${4:-}" ] || sql "$kind" "DELETE FROM $table WHERE id % 89 = $((round % 89))"
  sql "$kind" "UPDATE $table SET note = 'late', updated_at = ${NOW[$kind]} WHERE id = $first"
}

# words KIND MODE TABLE: the command for it.
words() {
  WORDS=(--url "$(url "$1")" --table "$3" --mode "$2" --state "$3.state" --batch 200)
  case $2 in
    incremental) WORDS+=(--cursor "updated_at,id" --overlap 5s) ;;
    cdc) WORDS+=(--slot "$3" --server-id 9 --until now) ;;
  esac
}

# Keeps the rows of standard input in a file, and says how many: all that came, each time some come.
cat >keep.py <<'END'
import json, os, sys
path, state = sys.argv[1:]
kept = json.load(open(state))["rows"] if os.path.exists(state) and os.path.getsize(state) else 0
lines = open(path, "rb").read().splitlines(True)[:kept] if os.path.exists(path) else []
count, part = len(lines), b""
with open(path, "wb", buffering=0) as file:
    file.write(b"".join(lines))
    while chunk := os.read(0, 65536):
        whole, _, part = (part + chunk).rpartition(b"\n")
        if not whole:
            continue
        file.write(whole + b"\n")
        count += whole.count(b"\n") + 1
        try:
            os.write(1, b"%d\n" % count)
        except BrokenPipeError:
            pass
END

# begin WAY TABLE: starts it; PID is it. What it gives goes to TABLE.rows:
#   out      it writes the file itself
#   append   the shell appends; what lies behind the state's bytes is cut first
#   ack      a reader keeps it and acknowledges
begin() {
  local bytes=0
  case $1 in
    out) db-extract "${WORDS[@]}" --out "$2.rows" >"$OUT" 2>"$ERR" & ;;
    append)
      [ ! -s "$2.state" ] || bytes=$(jq .bytes "$2.state")
      touch "$2.rows"
      truncate -s "$bytes" "$2.rows"
      db-extract "${WORDS[@]}" >>"$2.rows" 2>"$ERR" &
      ;;
    ack)
      rm -f rows.fifo ack.fifo
      mkfifo rows.fifo ack.fifo
      python3 keep.py "$2.rows" "$2.state" <rows.fifo >ack.fifo &
      READER=$!
      # In the reader's order, or each would wait for the other.
      db-extract "${WORDS[@]}" --ack >rows.fifo <ack.fifo 2>"$ERR" &
      ;;
  esac
  PID=$!
}

finish() {
  local status=0
  wait "$PID" 2>/dev/null || status=$?
  [ "$1" != ack ] || wait "$READER" 2>/dev/null || true
  return "$status"
}

# killed WAY KIND MODE: the whole story of one table.
killed() {
  local way=$1 kind=$2 mode=$3 table=t_$2_$3 round halfway=0 whole_ms started busy once
  fill "$kind" "$table"
  [ "$kind $mode" != "postgres cdc" ] || sql postgres "CREATE PUBLICATION $table FOR TABLE $table"
  words "$kind" "$mode" "$table"
  # How long one run takes, of a state nobody needs.
  once=(--state once.state)
  [ "$mode" != cdc ] || once=()
  started=$(date +%s%3N)
  db-extract --url "$(url "$kind")" --table "$table" --batch 200 "${once[@]}" --out once.rows || fail "a snapshot of $table"
  rm -f once.state once.rows
  whole_ms=$(($(date +%s%3N) - started))
  # A snapshot is over once it is: so slow that all runs find something to do.
  if [ "$mode" = snapshot ]; then
    WORDS+=(--rate $((ROWS * 5 / ROUNDS)))
    whole_ms=300
  fi
  for round in $(seq "$ROUNDS"); do
    busy=
    if [ "$mode" != snapshot ]; then
      change "$kind" "$table" "$round" "$([ "$mode" != cdc ] || echo gone)" &
      busy=$!
    fi
    begin "$way" "$table"
    sleep "$(awk -v most="$whole_ms" -v dice="$RANDOM" 'BEGIN {print most / 1000 * dice / 32768}')"
    ! kill -KILL "$PID" 2>/dev/null || halfway=$((halfway + 1))
    finish "$way" || true
    [ -z "$busy" ] || wait "$busy" || fail "changing $table"
  done
  [ "$halfway" -ge $((ROUNDS / 3)) ] || fail "only $halfway of $ROUNDS runs of $table were killed"
  for _ in 1 2; do
    begin "$way" "$table"
    finish "$way" || fail "the last run of $table answers $?"
  done
  expect 0 db-extract --url "$(url "$kind")" --table "$table" --out "$table.table"
  case $mode in
    snapshot) expect 0 python3 "$ROOT/tests/oracles/rows.py" same "$table.rows" "$table.table" ;;
    incremental) expect 0 python3 "$ROOT/tests/oracles/rows.py" latest "$table.rows" "$table.table" updated_at ;;
    cdc) expect 0 python3 "$ROOT/tests/oracles/rows.py" replay "$table.rows" "$table.table" ;;
  esac
  [ "$mode" != snapshot ] || cmp "$table.rows" "$table.table" || fail "$table: rows stand in another order"
  [ "$(jq .bytes "$table.state")" = "$(stat -c %s "$table.rows")" ] || fail "$table: the state's bytes are not the file's"
  [ "$(jq .rows "$table.state")" = "$(wc -l <"$table.rows")" ] || fail "$table: the state's rows are not the file's"
  proved "$kind, $mode, reader by $way: killed $halfway times in $ROUNDS runs, $(cat "$OUT"), each once"
}

sqlite3 a.db 'PRAGMA journal_mode = wal' >/dev/null
killed out sqlite snapshot
killed append sqlite incremental
killed ack postgres snapshot
killed out postgres incremental
killed ack postgres cdc
killed append mariadb snapshot
killed ack mariadb incremental
killed out mariadb cdc

# A transaction that began first and commits last has an earlier time than rows that were given.
late() { expect 0 db-extract --url "$PG" --table late --mode incremental --cursor updated_at --overlap "$1" --state "late.$1" --columns id; }
sql postgres "CREATE TABLE late(id int PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT clock_timestamp())"
mkfifo open
psql -X -q -h "$WORK/pg" -p "$(cat pg/port)" -U postgres postgres <open >/dev/null &
PID=$!
exec 7>open
echo 'BEGIN; INSERT INTO late VALUES (1);' >&7
begun() { [ "$(postgres_do "$WORK/pg" -Atc "SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND state = 'idle in transaction'")" = 1 ]; }
within 10 begun
sql postgres "INSERT INTO late VALUES (2)"
for overlap in 0s 60s; do
  late "$overlap"
  says '. == [{id: 2}]'
done
echo 'COMMIT;' >&7
exec 7>&-
wait "$PID"
late 60s
says '. == [{id: 1}]'
late 60s
says '. == []'
late 0s
says '. == []'
proved "a transaction that commits late is found within the overlap, once; without one it is not"
