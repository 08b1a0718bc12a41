#!/bin/bash
# MySQL itself: a snapshot, what is new by a cursor, and its log with its own transaction ids.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=scripts/lib/oracles.sh
. "$ROOT/scripts/lib/oracles.sh"
# shellcheck source=scripts/lib/databases.sh
. "$ROOT/scripts/lib/databases.sh"
{ need_databases && need_mysql; } || skip "MySQL is missing"
PATH=$BAREPLANE_BIN:$PATH
cd "$WORK"
trap 'ended=$?; mariadb_down "$WORK/my"; story_end $ended' EXIT
judge() { expect 0 python3 "$ROOT/tests/oracles/rows.py" "$@"; }
mysql_up "$WORK/my"
sql() { mariadb_do my shop --default-character-set=utf8mb4 -e "$1"; }
echo app-secret >password
extract() { db-extract --url "mysql://app@127.0.0.1:$(cat my/port)/shop" --password file:password --table orders "$@"; }
case $(mariadb_do my -Ne 'SELECT version()') in *MariaDB*) fail "this is MariaDB" ;; esac

sql "CREATE TABLE orders(id bigint PRIMARY KEY AUTO_INCREMENT, amount decimal(12,2), country varchar(10), at datetime(3), b blob, e enum('a','b'),
  d double, bi bit(10), st set('x','y'), y year, tm time(2), updated_at timestamp(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3));
  INSERT INTO orders(amount, country, at, b, e, d, bi, st, y, tm) VALUES
  (1.10, 'de', '2026-01-01 00:00:00.123', x'00ff', 'a', 0.1, 513, 'x,y', 2155, '-838:59:59'), (NULL, 'ü漢😀', NULL, NULL, NULL, 1e22, NULL, '', NULL, NULL);
  INSERT INTO orders(amount, country) SELECT o.amount, o.country FROM orders o, orders p, orders q"
expect 0 extract --batch 3
says 'length == 10 and .[0].at == "2026-01-01T00:00:00.123" and .[0].b == "AP8=" and .[0].bi == 513 and .[0].st == "x,y" and .[0].tm == "-838:59:59.00"'
grep -q '"amount":1.10,' "$OUT" || fail "a decimal lost its digits"
says '.[1] | .country == "ü漢😀" and .amount == null'
proved "MySQL $(mariadb_do my -Ne 'SELECT version()'), a snapshot"

newer() { extract --mode incremental --cursor updated_at,id --state cursor.state; }
expect 0 newer
says 'length == 10'
sql "UPDATE orders SET country = 'fr' WHERE id = 1"
expect 0 newer
says 'map([.id, .country]) == [[1, "fr"]]'
proved "what is new, by a cursor"

follow() { extract --mode cdc --server-id 9 --state log.state --out changes --until now; }
expect 0 follow
sql "UPDATE orders SET amount = 2.50, bi = 1 WHERE id = 1; DELETE FROM orders WHERE id = 2; INSERT INTO orders(amount, country) VALUES (9.99, 'fr')"
sql "START TRANSACTION; INSERT INTO orders(amount, st, tm) VALUES (1, 'y', '00:00:00.01'); UPDATE orders SET e = 'b'; COMMIT"
expect 0 follow
expect 0 extract
cp "$OUT" ours
judge replay changes ours
jq -es 'map(select(.op != "r").src.tx) | all(test("^[0-9a-f]{32}:[0-9]+$")) and (unique | length) == 4' changes >/dev/null || fail "the transactions have other names"
proved "its log makes of the first snapshot what the table is now, each change once, by four transactions"
