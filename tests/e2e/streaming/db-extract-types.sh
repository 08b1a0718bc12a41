#!/bin/bash
# Every type of PostgreSQL and MariaDB comes out as the database itself writes it, by snapshot and by log alike.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=scripts/lib/setup.sh
. "$ROOT/scripts/lib/setup.sh"
# shellcheck source=scripts/lib/databases.sh
. "$ROOT/scripts/lib/databases.sh"
need_databases || skip "the databases are missing"
PATH=$BAREPLANE_BIN:$PATH
cd "$WORK"
trap 'ended=$?; postgres_down "$WORK/pg"; mariadb_down "$WORK/my"; story_end $ended' EXIT
judge() { expect 0 python3 "$ROOT/tests/oracles/rows.py" "$@"; }

postgres_up "$WORK/pg"
PG=postgres://app@127.0.0.1:$(cat pg/port)/postgres
echo app-secret >password
postgres_do pg <<'END'
CREATE TYPE mood AS ENUM ('sad', 'it''s ok');
CREATE DOMAIN amount AS numeric(12,2);
CREATE TABLE types(id bigint PRIMARY KEY, n numeric, a amount, f4 real, f8 double precision, b boolean, t text, c char(4),
  ts timestamp, tz timestamptz, d date, ti time, iv interval, j json, jb jsonb, by bytea, u uuid, m mood,
  ia int[], ta text[], na numeric[], ba boolean[], ip inet, r int4range, o oid);
INSERT INTO types(id, n, f4, f8) VALUES (1, 'NaN', 'NaN', 'NaN'), (2, 'Infinity', '-Infinity', 'Infinity'),
  (3, '-0.00000000000000000000000000000001', 1e-38, 1.7976931348623157e308), (4, repeat('9', 300)::numeric, 3.4e38, 5e-324),
  (9223372036854775807, 0.10, 0.1, 0.1), (-9223372036854775808, 1e20, -0.0, 1e22);
INSERT INTO types(id, a, b, t, c, ts, tz, d, ti, iv) VALUES
  (10, 9999999999.99, true, E'tab\there "q" \\ back\nline\r \x01 \x7f ü 漢 😀 \\N', 'a', '9999-12-31 23:59:59.999999', '9999-12-31 23:59:59.999999+00', '9999-12-31', '23:59:59.999999', '1 year 2 mons 3 days 04:05:06.789'),
  (11, -1, false, '\N', '', '0044-03-15 00:00:00 BC', '0044-03-15 00:00:00+00 BC', '0044-03-15 BC', '24:00', '-1 day'),
  (12, 0, NULL, '', 'ab c', 'infinity', '-infinity', 'infinity', NULL, NULL),
  (13, NULL, NULL, E'\b\f\v', NULL, '294276-12-31 00:00:00', '2026-03-29 02:30:00+02', '0001-01-01', NULL, NULL);
INSERT INTO types(id, j, jb, by, u, m, ia, ta, na, ba, ip, r, o) VALUES
  (20, E'{"a":\n [1, 2.50, 12345678901234567890],\n "b":"x\\ny"}', '{"z":1,"a":1.10}', '\x00ff0a5c', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'it''s ok',
   '{1,NULL,-3}', ARRAY['a,b','"q"','NULL',NULL,E'back\\slash\n','{}',''], '{{1.10,NaN},{2,3}}', '{t,f,NULL}', '10.0.0.0/8', '[1,5)', 42),
  (21, 'null', 'null', '', NULL, 'sad', '{}', '{}', '[0:1]={1,2}', '{}', NULL, 'empty', 0);
CREATE PUBLICATION types FOR TABLE types;
GRANT ALL ON types TO app;
END
# What row_to_json makes of it, with bytes as base64 and UTC as Z.
postgres_do pg -Atc "SET TimeZone = UTC; SELECT row_to_json(x) FROM (SELECT id, n, a, f4, f8, b, t, c, ts,
  CASE WHEN isfinite(tz) THEN regexp_replace(to_json(tz)::text, '\+00:00', 'Z')::json ELSE to_json(tz) END AS tz, d, ti, iv,
  j::jsonb AS j, jb, encode(by, 'base64') AS by, u, m, ia, ta, na, ba, ip, r, o FROM types ORDER BY id) x" >theirs
PG_WORDS=(--url "$PG?sslrootcert=$WORK/pg/tls/ca.crt" --password file:password --table types)
expect 0 db-extract "${PG_WORDS[@]}" --batch 3
cp "$OUT" ours
judge same ours theirs
proved "PostgreSQL, a snapshot over TLS: what row_to_json says, digit by digit"

pg_cdc() { db-extract "${PG_WORDS[@]}" --mode cdc --slot types --state pg.state --out pg.changes --until now; }
expect 0 pg_cdc
postgres_do pg -c "CREATE TABLE copy AS SELECT * FROM types; DELETE FROM types; INSERT INTO types SELECT * FROM copy; UPDATE types SET t = t || '!' WHERE id < 13"
expect 0 pg_cdc
expect 0 db-extract "${PG_WORDS[@]}"
cp "$OUT" ours
judge replay pg.changes ours
jq -es 'map(select(.op == "d")) | length > 0 and all(.after == null and (.before | keys) == ["id"])' pg.changes >/dev/null ||
  fail "a delete has more than the key"
proved "PostgreSQL, its log: the same values as a snapshot"

expect 2 db-extract --url "$PG" --password file:pg/port --table types
complains "auth: password authentication failed"
expect 2 db-extract --url "$PG?sslmode=verify-full" --password file:password --table types
complains "tls: .*UnknownIssuer"
expect 2 db-extract --url "${PG/127.0.0.1/localhost}?sslrootcert=$WORK/pg/tls/ca.crt" --password file:password --table types
complains "tls: .*not valid for name"
proved "a wrong password, an unknown authority, another name: told apart, status 2"

mariadb_up "$WORK/my"
MY=mysql://app@127.0.0.1:$(cat my/port)/shop
mariadb_do my shop --default-character-set=utf8mb4 <<'END'
SET sql_mode = '';
CREATE TABLE types(id bigint PRIMARY KEY, t tinyint, tu tinyint unsigned, s smallint, m mediumint unsigned, i int, b bigint unsigned, z int(8) zerofill,
  d decimal(20,4), f float, db double, bi bit(10), c char(4), v varchar(50), l text CHARACTER SET latin1, bn binary(4), vb varbinary(10),
  bl blob, e enum('a','it''s'), st set('x','y','z'), da date, dt datetime, dt6 datetime(6), ts timestamp(3) NULL, tm time(2), y year, j json);
INSERT INTO types VALUES (1, -128, 255, -32768, 16777215, -2147483648, 18446744073709551615, 42, -0.1, 0.1, 0.1, 513, 'ab ', 'ü"\n\\ 漢😀', 'äöü€', 'a', 'a\0', x'00ff', 'it''s', 'x,z',
    '9999-12-31', '9999-12-31 23:59:59', '2026-01-02 03:04:05.60', NULL, '-838:59:59.00', 2155, '{"a": 1.10}'),
  (-9223372036854775808, 127, 128, 0, 0, 0, 9223372036854775808, 0, 1234567890123456.7891, -3.4e38, 1.7976931348623157e308, 0, '', '', '', '', '', '', 'a', '',
    '0000-00-00', '0000-00-00 00:00:00', '0000-00-00 00:00:00', '0000-00-00 00:00:00', '00:00:00.01', 0, '[]'),
  (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1e-38, 5e-324, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '1000-01-01', '2026-01-01', NULL, '2026-03-29 00:30:00.5', NULL, 1901, NULL),
  (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 16777216, 1e22, NULL, NULL, NULL, NULL, NULL, NULL, NULL, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
END
MY_WORDS=(--url "$MY?sslrootcert=$WORK/my/tls/ca.crt" --password file:password --table types)
KINDS=(t=number tu=number s=number m=number i=number b=number z=number d=number f=float db=double bi=number y=number bn=bytes vb=bytes bl=bytes dt=time dt6=time ts=time)
# Each value in the database's own words, in hexadecimal.
for name in t tu s m i b z d f db bi c v l bn vb bl e st da dt dt6 ts tm y j; do
  case $name in
    bn | vb | bl) text=$name ;;
    f) text="CAST(f + 0e0 AS CHAR)" ;;
    bi | z | y) text="CAST($name + 0 AS CHAR)" ;;
    *) text="CONVERT($name USING utf8mb4)" ;;
  esac
  mariadb_do my shop --default-character-set=utf8mb4 -N -e "SET time_zone = '+00:00'; SELECT id, '$name', ifnull(hex($text), 'NULL') FROM types"
done >cells
expect 0 db-extract "${MY_WORDS[@]}" --batch 2
cp "$OUT" ours
judge cells ours cells "${KINDS[@]}"
proved "MariaDB, a snapshot over TLS: $(cat "$OUT") as the database writes them"

my_cdc() { db-extract "${MY_WORDS[@]}" --mode cdc --server-id 7 --state my.state --out my.changes --until now; }
expect 0 my_cdc
mariadb_do my shop -e "SET sql_mode = ''; CREATE TABLE copy AS SELECT * FROM types; DELETE FROM types; INSERT INTO types SELECT * FROM copy; UPDATE types SET v = 'new', i = 7 WHERE id = 3"
expect 0 my_cdc
expect 0 db-extract "${MY_WORDS[@]}"
cp "$OUT" ours
judge replay my.changes ours
proved "MariaDB, its log: the same values as a snapshot"

mariadb_do my shop -e "SET GLOBAL log_bin_compress = ON, GLOBAL log_bin_compress_min_len = 10"
mariadb_do my shop -e "SET sql_mode = ''; DELETE FROM types WHERE id > 0; INSERT INTO types SELECT * FROM copy WHERE id > 0; UPDATE types SET l = repeat('long ', 5000), i = 8 WHERE id = 3"
expect 0 my_cdc
expect 0 db-extract "${MY_WORDS[@]}"
cp "$OUT" ours
judge replay my.changes ours
mariadb_do my shop -e "TRUNCATE TABLE types"
expect 0 my_cdc
jq -es 'last.op == "t"' my.changes >/dev/null || fail "the table was emptied, and nobody says so"
mariadb-binlog --no-defaults my/data/bin.00000* 2>/dev/null | grep -ai 'write_compressed_rows' >/dev/null || fail "MariaDB has compressed nothing"
proved "MariaDB, its log compressed: rows and statements as before"

expect 2 db-extract --url "$MY" --password file:pg/port --table types
complains "auth: Access denied"
expect 2 db-extract --url "$MY?sslmode=verify-full" --password file:password --table types
complains "tls: .*UnknownIssuer"
proved "a wrong password, an unknown authority: told apart, status 2"
