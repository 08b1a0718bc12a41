#!/bin/bash
# The databases' logs: an idle table does not hold them, and one that was lost, or whose table changed, ends the run at once with what to do.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=scripts/lib/setup.sh
. "$ROOT/scripts/lib/setup.sh"
# shellcheck source=scripts/lib/databases.sh
. "$ROOT/scripts/lib/databases.sh"
need_databases || skip "the databases are missing"
PATH=$BAREPLANE_BIN:$PATH
cd "$WORK"
trap 'ended=$?; postgres_down "$WORK/pg"; mariadb_down "$WORK/my"; story_end $ended' EXIT

postgres_up "$WORK/pg" max_slot_wal_keep_size=64MB min_wal_size=32MB max_wal_size=48MB
PG=postgres://postgres@127.0.0.1:$(cat pg/port)/postgres
pg() { postgres_do pg -At -c "$1"; }
held() { pg "SELECT (pg_current_wal_lsn() - restart_lsn)::bigint FROM pg_replication_slots WHERE slot_name = 'orders'"; }
# Some megabytes of log that are about another table.
noise() { pg "INSERT INTO noise SELECT repeat(md5(g::text), 30) FROM generate_series(1, ${1:-20000}) g"; }
PG_WORDS=(--url "$PG" --table orders --mode cdc --slot orders --state pg.state --out pg.rows)
pg_now() { timeout 60 db-extract "${PG_WORDS[@]}" --until now "$@"; }

pg "CREATE TABLE orders(id int PRIMARY KEY, amount int); INSERT INTO orders VALUES (1, 1); CREATE TABLE noise(t text)"
expect 2 pg_now
complains "no_publication: "
complains "CREATE PUBLICATION orders FOR TABLE public.orders"
[ ! -e pg.state ] || fail "a state of nothing"
pg "CREATE PUBLICATION orders FOR TABLE orders"
expect 0 pg_now
proved "no publication: told with the statement that makes it"

# The same by a document, in which no secret stands.
cat >pipeline.yaml <<END
version: 1
name: shop
databases:
  A: {url: env:SHOP_URL, password: file:password}
topics: {V: {}}
sources:
  - {name: orders, from: A, table: orders, mode: cdc, slot: by_document, publication: orders, to: V}
END
echo app-secret >password
pg "GRANT SELECT ON orders TO app"
by_document() {
  SHOP_URL=postgres://app@127.0.0.1:$(cat pg/port)/postgres timeout 60 db-extract --pipeline pipeline.yaml --step orders --state document.state --until now
}
expect 0 by_document
says 'length == 1 and .[0].after == {id: 1, amount: 1}'
pg "UPDATE orders SET amount = 2"
expect 0 by_document
says 'length == 1 and .[0].op == "u" and .[0].after == {id: 1, amount: 2} and .[0].src.seq == 1'
pg "SELECT pg_drop_replication_slot('by_document')" >/dev/null
proved "by a document: the rows that are there, then what changes"

db-extract "${PG_WORDS[@]}" --heartbeat 200ms >"$OUT" 2>"$ERR" &
pid=$!
noise
noise
let_go() { pg CHECKPOINT && [ "$(held)" -lt 4000000 ]; }
within 30 let_go
pg "INSERT INTO orders VALUES (2, 2)"
within 10 grep -q '"id":2' pg.rows
expect 3 pg_now
complains "locked"
kill -TERM "$pid"
status=0
wait "$pid" || status=$?
[ "$status" = 0 ] || fail "status $status, not 0, after a signal"
proved "an idle table lets the log go, while the log is about others; a second run is told; a signal ends the run with 0"

# A transaction that stays open holds the log although everything was read.
mkfifo open
psql -X -q -h "$WORK/pg" -p "$(cat pg/port)" -U postgres postgres <open >/dev/null &
pid=$!
exec 7>open
echo 'BEGIN; INSERT INTO noise VALUES (1); SELECT pg_current_xact_id();' >&7
begun() { [ "$(pg "SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND state = 'idle in transaction'")" = 1 ]; }
within 10 begun
noise
pg CHECKPOINT
expect 1 pg_now --max-slot-bytes 1MiB
complains "slot_bytes: .*still holds"
echo 'COMMIT;' >&7
exec 7>&-
wait "$pid"
proved "a transaction that stays open and holds the log: the answer is no"

pg "ALTER TABLE orders ADD COLUMN note text; INSERT INTO orders VALUES (3, 3, 'new')"
cp pg.rows before
expect 2 pg_now
complains "schema_changed: new: note text"
complains "accept-schema"
cmp pg.rows before || fail "rows of other columns were given"
expect 0 pg_now --accept-schema
jq -e 'select(.after.id == 3) | .after.note == "new"' <(tail -1 pg.rows) >/dev/null || fail "the new column is missing"
expect 0 pg_now
proved "another column: status 2 before any such row; accepted, it is given"

# More than fits into one batch, in one transaction, among smaller ones.
big() {
  echo 'BEGIN; INSERT INTO orders SELECT g, g, repeat(md5(g::text), 10) FROM generate_series(1000, 26000) g; COMMIT;'
  echo 'INSERT INTO orders VALUES (70000, 1); UPDATE orders SET amount = 0 WHERE id >= 1000; DELETE FROM orders WHERE id >= 1000;'
}
big | postgres_do pg
expect 0 pg_now -v
complains "= 75006 out"
expect 0 pg_now -v
complains "= 0 out"
jq -r 'select(.src.seq) | "\(.src.lsn) \(.src.seq)"' pg.rows | sort | uniq -d >twice
[ ! -s twice ] || fail "given twice: $(head -1 twice)"
proved "a transaction that is larger than a batch is given once"

cp pg.state ahead
pg "INSERT INTO orders VALUES (4)"
expect 0 pg_now
cp pg.state now && cp ahead pg.state && cp pg.rows now.rows
expect 2 pg_now
complains "wal_lost: .*ahead of the state"
cp now pg.state && cp now.rows pg.rows
proved "a state of yesterday: what the slot gave since is not passed over"

# The table is locked: whoever waits for it can be told to stop.
psql -X -q -h "$WORK/pg" -p "$(cat pg/port)" -U postgres postgres <open >/dev/null &
pid=$!
exec 7>open
echo 'BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE;' >&7
locked() { [ "$(pg "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation = 'orders'::regclass AND granted")" = 1 ]; }
within 10 locked
expect 3 db-extract --url "$PG" --table orders --timeout 300ms
complains "deadline: "
db-extract --url "$PG" --table orders >"$OUT" 2>"$ERR" &
waiting=$!
waits() { [ "$(pg "SELECT count(*) FROM pg_locks WHERE NOT granted")" != 0 ]; }
within 10 waits
kill -TERM "$waiting"
status=0
wait "$waiting" || status=$?
[ "$status" = 3 ] || fail "status $status, not 3, after a signal"
complains "interrupted: "
exec 7>&-
wait "$pid"
proved "a server that does not answer is waited for until time is up or a signal comes"

postgres_stop "$WORK/pg"
expect 3 pg_now
complains "network: .*refused"
postgres_start "$WORK/pg"
expect 0 pg_now
proved "a server that is down is worth another try"

noise 100000
noise 100000
lost() { pg CHECKPOINT && [ "$(pg "SELECT wal_status FROM pg_replication_slots")" = lost ]; }
within 30 lost
expect 2 pg_now
complains "wal_lost: "
complains "pg_drop_replication_slot"
pg "SELECT pg_drop_replication_slot('orders')" >/dev/null
expect 2 pg_now
complains "wal_lost: the slot is gone"
rm pg.state
expect 0 pg_now
expect 0 db-extract --url "$PG" --table orders
cp "$OUT" table
expect 0 python3 "$ROOT/tests/oracles/rows.py" replay pg.rows table
rm pg.state
expect 2 pg_now
complains "slot_exists: "
proved "a slot that is lost, dropped, or nobody's: status 2 at once, with the way out; the way out works"

mariadb_up "$WORK/my"
MY="mysql://root@localhost/shop?host=$WORK/my/s.sock"
my() { mariadb_do my shop -N -e "$1"; }
MY_WORDS=(--url "$MY" --table orders --mode cdc --server-id 7 --state my.state --out my.rows)
my_now() { timeout 60 db-extract "${MY_WORDS[@]}" --until now "$@"; }
my "CREATE TABLE orders(id int PRIMARY KEY, amount int); INSERT INTO orders VALUES (1, 1); CREATE TABLE noise(t text)"
expect 0 my_now
db-extract "${MY_WORDS[@]}" --heartbeat 200ms >"$OUT" 2>"$ERR" &
pid=$!
first=$(jq -r .log.at my.state)
my "INSERT INTO noise SELECT seq FROM seq_1_to_1000"
moved() { [ "$(jq -r .log.at my.state)" != "$first" ]; }
within 20 moved
my "FLUSH BINARY LOGS; INSERT INTO orders VALUES (2, 2)"
within 20 grep -q '"id":2' my.rows
within 20 grep -q 'bin.000002' my.state
kill -TERM "$pid"
wait "$pid" || fail "status $? after a signal"
proved "MariaDB: an idle table's place moves on with the log, from file to file"

my "ALTER TABLE orders ADD COLUMN note text; INSERT INTO orders VALUES (3, 3, 'new')"
expect 2 my_now
complains "schema_changed: new: note text"
expect 0 my_now --accept-schema
my "UPDATE orders SET amount = 30 WHERE id = 3; DELETE FROM orders WHERE id = 1;
  START TRANSACTION; INSERT INTO orders VALUES (6, 6, 'a'); SAVEPOINT a; INSERT INTO orders VALUES (7, 7, ''); ROLLBACK TO a;
  INSERT INTO orders VALUES (8, 8, 'b'); UPDATE orders SET amount = amount + 1; COMMIT; CREATE TABLE copy AS SELECT * FROM orders;
  TRUNCATE noise; START TRANSACTION; INSERT INTO orders VALUES (9, 9, ''); ROLLBACK;
  INSERT INTO orders SELECT seq, seq, repeat(md5(seq), 10) FROM seq_1000_to_26000; UPDATE orders SET amount = 0 WHERE id >= 1000; DELETE FROM orders WHERE id BETWEEN 1000 AND 25000"
expect 0 my_now
expect 0 db-extract --url "$MY" --table orders
cp "$OUT" table
expect 0 python3 "$ROOT/tests/oracles/rows.py" replay my.rows table
proved "MariaDB, another column: status 2; accepted, it is given"

my "SET SESSION binlog_format = 'STATEMENT'; INSERT INTO orders VALUES (10, 10, '')"
expect 2 my_now
complains "a statement in place of the rows"
rm my.state
expect 0 my_now
proved "MariaDB: a statement in the log instead of rows is no change that is passed over"

mariadb_stop "$WORK/my"
expect 3 my_now
complains "network: "
mariadb_start "$WORK/my"
expect 0 my_now
my "FLUSH BINARY LOGS; INSERT INTO orders VALUES (5, 5, ''); FLUSH BINARY LOGS"
# A file is kept while somebody reads it; the server learns late that nobody does.
gone() {
  my "PURGE BINARY LOGS TO '$(my "SHOW MASTER STATUS" | cut -f1)'"
  ! my "SHOW BINARY LOGS" | grep -q "$(jq -r '.log.at | split(":")[0]' my.state)"
}
within 20 gone
expect 2 my_now
complains "binlog_purged: "
complains "remove the state"
rm my.state
expect 0 my_now
my "SET GLOBAL binlog_row_image = 'MINIMAL'"
expect 2 my_now
complains "SET GLOBAL binlog_row_image = 'FULL'"
proved "MariaDB, a log that was purged or is not whole: status 2 at once, with the way out; the way out works"
