"""DuckDB says what a lake should hold: the rows that went in, with their types, each once.

    lake.py make FILE ROWS             rows of every type; 1 in 500 fits no column. FILE.good has the others,
                                       FILE.schema the columns
    lake.py judge FILE LAKE REJECT     whether the Parquet files below LAKE hold FILE.good and REJECT has the rest
    lake.py groups LAKE                each file's rows, row groups and compression, as another reader sees them
"""
import json
import os
import random
import sys

SCHEMA = {
    "id": "int", "ts": "timestamp", "user": "string", "amount": "decimal(12,2)", "big": "decimal(38,10)",
    "ratio": "double", "ok": "bool", "day": "date", "note": "string", "meta": "json",
}
TYPES = {
    "id": "BIGINT", "ts": "TIMESTAMP WITH TIME ZONE", "user": "VARCHAR", "amount": "DECIMAL(12,2)",
    "big": "DECIMAL(38,10)", "ratio": "DOUBLE", "ok": "BOOLEAN", "day": "DATE", "note": "VARCHAR", "meta": "VARCHAR",
}
NOTES = ["", "plain", "é ü 漢字 😀", "quo\"te \\ / \n\t\r", "\u0000\u0001", "it's", "x" * 3000, "null", "-"]


def row(number, dice):
    """A row as text: numbers keep their digits."""
    ms = number * 900 + dice.randrange(2000)
    second, ms = divmod(ms, 1000)
    fraction = dice.choice(["", f".{ms:03}", f".{ms:03}{dice.randrange(1000):03}"])
    zone = dice.choice(["Z", "Z", "+00:00", "-00:00"])
    fields = {
        "id": str(number),
        "ts": json.dumps(f"2026-01-{1 + second // 86400:02}T{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}{fraction}{zone}"),
        "user": json.dumps(f"user{dice.randrange(1000)}"),
        "amount": f"{dice.randrange(-10**11, 10**11)}e-2" if dice.randrange(9) == 0 else f"{dice.randrange(-10**9, 10**9)}.{dice.randrange(100):02}",
        "big": f"{dice.randrange(10**27)}.{dice.randrange(10**10):010}",
        "ratio": repr(dice.choice([0.0, -1.5, 1e300, 5e-324, dice.random()])),
        "ok": dice.choice(["true", "false"]),
        "day": json.dumps(f"{dice.randrange(1900, 2100)}-0{dice.randrange(1, 10)}-1{dice.randrange(10)}"),
        "note": json.dumps(dice.choice(NOTES), ensure_ascii=dice.randrange(2) == 0),
        "meta": dice.choice(['{"a":[1,2,{"b":null}]}', "[]", '"text"', "12.50", "true"]),
    }
    for name in list(fields)[2:]:
        chance = dice.randrange(20)
        if chance == 0:
            fields[name] = "null"
        elif chance == 1:
            del fields[name]
    names = list(fields)
    if dice.randrange(50) == 0:
        dice.shuffle(names)
    return "{" + ",".join(f'"{name}":{fields[name]}' for name in names) + "}"


def bad(good, dice):
    """The same row so that it fits no column."""
    return dice.choice([
        lambda: good[: dice.randrange(1, len(good) - 1)],
        lambda: good[:-1] + ',"stranger":1}',
        lambda: good[:-1] + ',"id":"seven"}',
        lambda: good[:-1] + ',"id":9223372036854775808}',
        lambda: good[:-1] + ',"ts":"9999-99-99T00:00:00Z"}',
        lambda: good[:-1] + ',"amount":0.001}',
        lambda: good[:-1] + ',"ratio":NaN}',
        lambda: "null",
        lambda: '["a","list"]',
    ])()


def make(path, rows):
    """The same rows each time: what is judged can be looked at again."""
    dice = random.Random(11)
    with open(path, "w", encoding="utf-8") as out, open(path + ".good", "w", encoding="utf-8") as good:
        for number in range(rows):
            text = row(number, dice)
            if dice.randrange(500) == 0:
                text = bad(text, dice)
            else:
                good.write(text + "\n")
            out.write(text + "\n")
    with open(path + ".schema", "w", encoding="utf-8") as out:
        json.dump(SCHEMA, out)


def database():
    import duckdb

    db = duckdb.connect()
    db.execute("set timezone = 'UTC'")
    return db


def wanted(path):
    """The rows that fit, as Python reads them: numbers exactly, times in microseconds."""
    from datetime import date, datetime, timezone
    from decimal import Decimal

    epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
    as_is = {"parse_float": str, "parse_int": str, "parse_constant": str}
    for text in open(path, encoding="utf-8"):
        row = json.loads(text, **as_is)
        of = lambda name, make: None if row.get(name) is None else make(row[name])
        ts = of("ts", lambda ts: datetime.fromisoformat(ts.replace("Z", "+00:00")) - epoch)
        yield (
            of("id", int), ts and (ts.days * 86400 + ts.seconds) * 10**6 + ts.microseconds, of("user", str),
            of("amount", Decimal), of("big", Decimal), of("ratio", float), of("ok", bool), of("day", date.fromisoformat),
            of("note", str), of("meta", json.dumps),
        )


def which(reject):
    """A row that was put aside twice, since a run was killed in between, is one row."""
    row = reject["row"]
    if isinstance(row, dict) and row.get("record") == "message":
        return (row["topic"], row["partition"], row["offset"])
    return reject["line"]


def judge(rows, lake, reject):
    db = database()
    db.execute(f"create view have as from read_parquet('{lake}/**/*.parquet', hive_partitioning = false)")
    types = dict(db.execute("select column_name, column_type from (describe have)").fetchall())
    wrong = [f"{name} is {types.get(name)}" for name, of in TYPES.items() if types.get(name) != of]
    have = db.execute(
        "select id, epoch_us(ts), user, amount, big, ratio, ok, day, note, meta from have order by id"
    ).fetchall()
    as_is = {"parse_float": str, "parse_int": str, "parse_constant": str}
    have = [(*row[:-1], row[-1] and json.dumps(json.loads(row[-1], **as_is))) for row in have]
    want = list(wanted(rows + ".good"))
    wrong += [f"{a} is not {b}" for a, b in zip(have, want) if a != b]
    rejected = {which(json.loads(line)) for line in open(reject, encoding="utf-8")}
    expected = sum(1 for _ in open(rows, encoding="utf-8")) - len(want)
    print(f"{len(have)} rows in the lake of {len(want)}, {len(rejected)} rejected of {expected}; {len(wrong)} differ")
    for line in wrong[:6]:
        print(line[:400])
    return 1 if wrong or not have or len(have) != len(want) or len(rejected) != expected else 0


def groups(lake):
    db = database()
    for name, count, sets, codec in db.execute(
        "select file_name, sum(row_group_num_rows) filter (column_id = 0), count(*) filter (column_id = 0), string_agg(distinct compression)"
        f" from parquet_metadata('{lake}/**/*.parquet') group by 1 order by 1"
    ).fetchall():
        print(f"{os.path.relpath(name, lake)} {count} rows, {sets} groups, {codec}")


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2], int(sys.argv[3]))
    elif sys.argv[1] == "groups":
        groups(sys.argv[2])
    else:
        sys.exit(judge(*sys.argv[2:5]))
