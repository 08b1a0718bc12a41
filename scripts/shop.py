"""The databases of a small shop, as the example's pipeline.yaml has them.

    shop.py FOLDER FROM TO OF     fills a.db, b.db and c.db with rows FROM to TO, of OF in all

A and B take orders, B counts visits too, C clicks. As in life: dates in two forms, amounts with
blanks, a customer without a name, orders that come twice, late ones, countries nobody sells to.
The same rows each time, from midnight two days ago on.
"""
import random
import sqlite3
import sys
import time

DAY = 86_400
PAGES = ["/", "/search", "/cart", "/pay", "/help"]


def orders(number, dice, at):
    """An order: time, customer, amount, country, and what is wrong with some."""
    late = dice.randrange(60, 900) if dice.randrange(200) == 0 else 0
    ts = int(at - late - dice.randrange(30))
    amount = f"{dice.randrange(100, 500_000) / 100:.2f}"
    country = dice.choice(["DE", "FR", "IT", "PL"])
    match dice.randrange(400):
        case 0:
            amount = f" {amount} "
        case 1:
            amount = "-1"
        case 2:
            country = "ATLANTIS"
        case 3:
            amount = "many"
    return ts, f"user{dice.randrange(5000)}", amount, country


def main(folder, first, last, count):
    dice = random.Random(first)
    begin = int(time.time()) // DAY * DAY - 2 * DAY
    databases = {name: sqlite3.connect(f"{folder}/{name}.db") for name in "abc"}
    for database in databases.values():
        database.execute("pragma journal_mode = wal")
    a, b, c = databases.values()
    a.execute("create table if not exists orders (id integer, usr text, amount text, ts text, country text, card text,"
              " email text, updated_at text)")
    a.execute("create index if not exists cursor on orders (updated_at, id)")
    b.execute("create table if not exists orders (id integer primary key, amount decimal, ts text, country text)")
    b.execute("create table if not exists visits (id integer primary key, ts text, page text)")
    c.execute("create table if not exists clicks (id integer primary key, ts text, user text, page text)")
    rows = {"a": [], "b": [], "visits": [], "clicks": []}
    for number in range(first, last):
        at = begin + number * DAY / count
        iso = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at - dice.randrange(60)))
        updated = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))
        ts, user, amount, country = orders(number, dice, at)
        text = time.strftime("%d.%m.%Y %H:%M:%S", time.gmtime(ts)) if dice.randrange(2) else str(ts)
        row = (number, user, amount, text, country, f"{dice.randrange(10**15, 10**16)}", f"{user}@example.org", updated)
        rows["a"].append(row)
        if dice.randrange(100) == 0:
            again = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at + 2))
            rows["a"].append(row[:-1] + (again,))
        ts, user, amount, country = orders(number, dice, at)
        price = float(amount) if amount.replace(".", "").isdigit() else 1.5
        rows["b"].append((number, price, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ts)), country))
        rows["visits"].append((number, iso, dice.choice(PAGES)))
        rows["clicks"].append((number, iso, user, dice.choice(PAGES)))
    a.executemany("insert into orders values (?, ?, ?, ?, ?, ?, ?, ?)", rows["a"])
    b.executemany("insert into orders values (?, ?, ?, ?)", rows["b"])
    b.executemany("insert into visits values (?, ?, ?)", rows["visits"])
    c.executemany("insert into clicks values (?, ?, ?, ?)", rows["clicks"])
    for database in databases.values():
        database.commit()
        database.close()


main(sys.argv[1], *map(int, sys.argv[2:]))
