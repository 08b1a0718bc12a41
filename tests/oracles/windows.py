"""DuckDB says what stream-agg should: windows of a minute by country over the same rows.

    windows.py make FILE ROWS          rows in about the order of their time; 1 in 100 late, 1 in 1000 broken
    windows.py judge FILE OUT LATE     whether OUT and LATE are what DuckDB makes of FILE (watermark 5 s)
    windows.py judge FILE OUT LATE partitions
                                       the same with rows partitioned by their field seven; first and last are times,
                                       since rows of different partitions have no order
"""
import json
import random
import sys

MAKE = """
create table rows as select * from (
    select try_cast(id as bigint) id, cast(ts as timestamptz) ts, country, try_cast(seven as int) seven, cast(amount as decimal(18, 4)) amount
    from read_json('{input}', format = 'newline_delimited', ignore_errors = true,
                   columns = {{id: 'varchar', ts: 'varchar', country: 'varchar', amount: 'varchar', seven: 'varchar'}})
) where id is not null;
create table dated as select *, time_bucket(interval '1 minute', ts, timestamptz '2026-01-01 00:00:00Z') start,
    max(ts) over ({partitions} order by id rows between unbounded preceding and 1 preceding) - interval '5 seconds' watermark
from rows;
create table judged as select *, coalesce(start + interval '1 minute' <= watermark, false) late from dated;
create table want as select start, country, count(*) n, sum(amount) total, min(amount) least, max(amount) most,
    {first} first, {last} last, count(distinct id % 7) sevens
from judged where not late group by all;
create table have as select cast(window_start as timestamptz) start, country, n, cast(sum as decimal(38, 4)) total,
    cast(min as decimal(18, 4)) least, cast(max as decimal(18, 4)) most, {told}, sevens
from read_json('{out}', format = 'newline_delimited', columns = {{window_start: 'varchar', country: 'varchar',
    n: 'bigint', sum: 'varchar', min: 'varchar', max: 'varchar', first: '{type}', last: '{type}', sevens: 'bigint'}});
create table late as select id from read_json('{late}', format = 'newline_delimited', columns = {{id: 'bigint'}});
"""


def make(path, rows):
    """The same rows each time: what is judged can be looked at again."""
    dice = random.Random(7)
    with open(path, "w", encoding="utf-8") as out:
        for number in range(rows):
            ms = number * 13 + dice.randrange(2000) - (dice.randrange(120_000) if dice.randrange(100) == 0 else 0)
            second, ms = divmod(max(ms, 0), 1000)
            ts = f"2026-01-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.{ms:03}Z"
            row = {"id": number, "ts": ts, "country": dice.choice(["SE", "DE", "FR", "é"]), "seven": number % 7}
            amount = f"{dice.randrange(-100_000, 1_000_000) / 100:.2f}"
            line = json.dumps(row)[:-1] + f', "amount": {amount}}}'
            if dice.randrange(1000) == 0:
                line = line[: dice.randrange(1, len(line) - 1)]
            out.write(line + "\n")


def judge(rows, out, late, by=None):
    import duckdb

    db = duckdb.connect()
    db.execute("set timezone = 'UTC'")
    if by:
        words = {"partitions": "partition by seven", "first": "min(ts)", "last": "max(ts)", "type": "varchar"}
        words["told"] = "cast(first as timestamptz) first, cast(last as timestamptz) last"
    else:
        words = {"partitions": "", "first": "arg_min(id, (ts, id))", "last": "arg_max(id, (ts, id))", "type": "bigint"}
        words["told"] = "first, last"
    db.execute(MAKE.format(input=rows, out=out, late=late, **words))
    wrong = db.execute("(from want except all from have) union all (from have except all from want)").fetchall()
    stray = db.execute(
        "(select id from judged where late except all from late) union all"
        " (from late except all select id from judged where late)"
    ).fetchall()
    groups, counted = db.execute("select count(*), sum(n) from want").fetchone()
    late_rows = db.execute("select count(*) from late").fetchone()[0]
    print(f"{groups} groups of {counted} rows, {late_rows} late; {len(wrong)} groups differ, {len(stray)} late rows")
    for row in wrong[:10] + stray[:10]:
        print(row)
    return 1 if wrong or stray or not groups or not late_rows else 0


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2], int(sys.argv[3]))
    else:
        sys.exit(judge(*sys.argv[2:6]))
