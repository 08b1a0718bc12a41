#!/bin/bash
# warehouse-load on real PostgreSQL: types, hostile names, drift, and killed at random moments; the table is the source, nothing is there twice.
. "$(dirname "$0")/../lib.sh"
# shellcheck source=scripts/lib/databases.sh
. "$ROOT/scripts/lib/databases.sh"
need_databases || skip "PostgreSQL is missing"
PATH=$BAREPLANE_BIN:$PATH
cd "$WORK"
trap 'ended=$?; postgres_down "$WORK/pg"; story_end $ended' EXIT
postgres_up "$WORK/pg"
PG=postgres://app@127.0.0.1:$(cat pg/port)/postgres
(umask 077 && echo app-secret >pw)
pg() { postgres_do "$WORK/pg" -At "$@"; }
load() { warehouse-load "$1" --url "$PG" --password file:pw "${@:2}"; }

# Every kind of column, and names that would rather be something else.
HOSTILE='order"; DROP TABLE canary; --'
pg <<'END'
CREATE SCHEMA "s'x" AUTHORIZATION app;
SET ROLE app;
CREATE TABLE canary(n int);
CREATE TABLE "s'x"."order""; DROP TABLE canary; --" (
  "id'; --" bigint PRIMARY KEY, "a ""b""" text, "_line" int, b bool, r double precision, n numeric(12,2), v varchar(3),
  j jsonb, js json, ts timestamptz, l timestamp, d date, by bytea, u uuid, p point, made timestamptz NOT NULL DEFAULT now(),
  twice bigint GENERATED ALWAYS AS (- "id'; --") STORED);
END
cat >kinds <<'END'
{"id'; --":1,"a \"b\"":"x\t\\y\nz'; DROP TABLE canary; --","_line":-1,"b":true,"r":1e-7,"n":12345.60,"v":"äöü","j":{"a":[1,"\\"]},"js":"t","ts":"2026-01-01T00:00:00.5+02:00","l":"2026-01-01T00:00:00","d":"2026-02-28","by":"AP8=","u":"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11","p":"(1,2)"}
{"id'; --":"9223372036854775807","r":"NaN","n":"NaN","a \"b\"":"\\N"}
{"id'; --":1,"a \"b\"":"later","b":false}
END
merge() { load "$1" --table "s'x.$HOSTILE" --mode merge --key "id'; --" --ledger "led\"ger" "${@:2}"; }
expect 1 merge plan --in kinds
says '.[0].record == "load-plan" and .[0].rows == 3 and (.[0].sql | length) == 6'
[ "$(pg -c "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'led%'")" = 0 ] || fail "plan made a ledger"
expect 0 merge apply --in kinds
says '.[0] | .rows == 3 and .inserted == 2 and .superseded == 1 and .already == false'
pg -c "TABLE canary" >/dev/null || fail "a name became SQL"
[ "$(pg -c "SELECT \"a \"\"b\"\"\", b, n IS NULL, twice FROM \"s'x\".\"order\"\"; DROP TABLE canary; --\" ORDER BY \"id'; --\" LIMIT 1")" = 'later|f|t|-1' ] || fail "the last row of a key is another"
expect 0 merge plan --in kinds
[ ! -s "$OUT" ] || fail "a plan of a load that was made prints: $(cat "$OUT")"
expect 0 merge apply --in kinds
says '.[0].already'
expect 0 merge apply --load-id again --in kinds
says '.[0] | .unchanged == 2 and .superseded == 1 and .inserted + .updated == 0'
head -1 kinds >first
expect 0 merge apply --in first
says '.[0] | .updated == 1 and .inserted == 0'
pg -c "SET TimeZone = 'UTC'" -c "SELECT row_to_json(t) FROM \"s'x\".\"order\"\"; DROP TABLE canary; --\" t WHERE \"id'; --\" = 1" >there
jq -e --slurpfile source first '. as $t | $source[0] | .["a \"b\""] == $t["a \"b\""] and .j == $t.j and .js == $t.js and $t.by == "\\x00ff"
  and $t.r == 1e-7 and $t.n == 12345.6 and $t.v == "äöü" and $t.ts == "2025-12-31T22:00:00.5+00:00" and $t.d == "2026-02-28" and $t.u == .u' there >/dev/null ||
  fail "values are others: $(cat there)"
proved "every kind of value arrives as it was, whatever tables and columns are called; the same again changes nothing"

echo "{\"id'; --\":5}" >second
expect 2 merge apply --load-id again --in second
complains load_changed
for bad in '{"id'\''; --":1,"n":1.005}|line 2: n: does not fit' '{"id'\''; --":1,"nn":1}|line 2: nn: schema_changed' '{"id'\''; --":1,"ts":"soon"}|line 2: ts: not a time' \
  '{"b":true}|line 2: id.*: the key is null' '{"id'\''; --":1,"p":"(x)"}|line 2: p: invalid input syntax' '[]|line 2: '; do
  { echo "{\"id'; --\":7}" && echo "${bad%%|*}"; } >bad
  expect 2 merge apply --in bad
  complains "${bad#*|}"
done
[ "$(pg -c "SELECT count(*) FROM \"s'x\".\"order\"\"; DROP TABLE canary; --\" WHERE \"id'; --\" = 7")" = 0 ] || fail "half a load is there"
proved "what does not fit is told with line and field, by us and by the server, and nothing of it is loaded"

expect 2 load apply --table orders --in first
complains no_such_table
(umask 077 && echo wrong >wrong)
expect 2 warehouse-load apply --url "$PG" --password file:wrong --table canary --in first
complains auth
expect 2 load apply --table canary --mode merge --key n --in first
complains "no unique index"
pg -c 'CREATE TABLE swallowed(n int); ALTER TABLE swallowed OWNER TO app' -c "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.n = 2 THEN RETURN NULL; END IF; RETURN NEW; END'" \
  -c 'CREATE TRIGGER t BEFORE INSERT ON swallowed FOR EACH ROW EXECUTE FUNCTION swallow()'
printf '{"n":%s}\n' 1 2 3 >three
expect 1 load apply --table swallowed --in three
complains "counts differ: 3 rows were sent, 2 copied"
expect 1 load apply --table swallowed <three
complains "counts differ"
[ "$(pg -c 'SELECT count(*) FROM swallowed')" = 0 ] || fail "a load whose counts differ is there"
{ cat three && echo '{"n":"x"}' && echo '{"m":1}'; } >five
expect 1 load apply --table canary --in five --reject aside --max-reject 1
[ "$(pg -c 'SELECT count(*) FROM canary')" = 0 ] || fail "a load with too many rejects is there"
rm aside
expect 0 load apply --table canary --in five --reject aside
says '.[0] | .rows == 5 and .inserted == 3 and .rejected == 2'
[ "$(jq -r '"\(.line) \(.field) \(.rule)"' aside | paste -sd' ')" = "4 n type 5 m column" ] || fail "put aside: $(cat aside)"
proved "guards: wrong password, no table, no unique key, swallowed rows, too many rejects"

# Killed at random moments: until the ledger has every load.
ROUNDS=10
[ -z "${SOAK:-}" ] || ROUNDS=100
pg -c 'SET ROLE app' -c 'CREATE TABLE orders(id bigint PRIMARY KEY, customer text NOT NULL, amount numeric(12,2), at timestamptz)' \
  -c 'CREATE TABLE events(id bigint, customer text, amount numeric(12,2), at timestamptz)'
python3 - "$ROUNDS" <<'END'
import json, random, sys
random.seed(5)
for part in range(int(sys.argv[1])):
    with open(f"part-{part}", "w") as out:
        for row in range(20000):
            # Every part changes some rows of those before it.
            number = part * 15000 + row
            out.write(json.dumps({"id": number, "customer": f"c{number % 977} of {part}", "amount": round(random.random() * 1000, 2), "at": f"2026-01-01T{number % 24:02}:00:00Z"}) + "\n")
END
orders() { load apply --table orders --mode merge --key id --in "part-$1"; }
events() { load apply --table events --in "part-$1"; }
killed=0
for ((part = 0; part < ROUNDS; part++)); do
  for into in orders events; do
    # Longer and longer, so that the last of them comes through however slow the machine is.
    for ((most = 200; ; most += most / 2)); do
      $into "$part" >"$OUT" 2>"$ERR" &
      pid=$!
      sleep "$(awk -v most="$most" -v dice="$RANDOM" 'BEGIN {print most / 1000 * dice / 32768}')"
      # The function runs in a shell of its own: its child is the command.
      command=$(pgrep -P "$pid" -x warehouse-load || true)
      [ -z "$command" ] || kill -KILL "$command" 2>/dev/null || true
      status=0
      wait "$pid" 2>/dev/null || status=$?
      case $status in
        0) break ;;
        137) killed=$((killed + 1)) ;;
        # The server may not have seen yet that the killed one is gone.
        3) complains locked ;;
        *) fail "status $status" ;;
      esac
    done
    expect 0 $into "$part"
    says '.[0].already and .[0].rows == 20000'
  done
done
[ "$killed" -gt 0 ] || fail "nothing was killed"
for ((part = 0; part < ROUNDS; part++)); do cat "part-$part"; done >all
jq -r '[.id, .customer, (.amount * 100 | round), .at] | join(" ")' all >rows
sort rows >events.want
# Of each key the last.
awk '{last[$1] = $0} END {for (id in last) print last[id]}' rows | sort >orders.want
for table in orders events; do
  pg -F ' ' -c "SET TimeZone = 'UTC'" -c "SELECT id, customer, round(amount * 100), to_char(at, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM $table" | sort >$table.got
  cmp $table.want $table.got || fail "$table is not the source after $killed kills"
done
[ "$(pg -c "SELECT count(*), sum(rows) FROM bareplane_loads WHERE target IN ('public.orders', 'public.events')")" = "$((2 * ROUNDS))|$((2 * ROUNDS * 20000))" ] ||
  fail "the ledger has $(pg -c 'SELECT count(*), sum(rows) FROM bareplane_loads')"
proved "killed $killed times in $((2 * ROUNDS)) loads: the tables are the source, nothing is there twice"
