#!/usr/bin/env python3
"""Judges what db-extract gave.

    rows.py same ROWS TABLE             the same rows, in any order
    rows.py latest ROWS TABLE CURSOR    no row twice; the last of each id is the table's
    rows.py replay CHANGES TABLE        no change twice; applied one after the other they make the table
    rows.py cells ROWS CELLS KIND…      each value is what the database's own text says (COLUMN=KIND)

TABLE is a snapshot, one JSON object a line. Numbers are compared by their digits.
"""
import base64
import json
import struct
import sys
from decimal import Decimal


class Number(str):
    """A number as it was written."""


def rows(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line, parse_float=Number, parse_int=Number) for line in lines]


def by_id(path):
    found = {row["id"]: row for row in rows(path)}
    assert len(found) == len(rows(path)), f"{path}: an id twice"
    return found


def differ(what, want):
    if what != want:
        ids = sorted(set(what) ^ set(want))[:5]
        other = [(what[i], want[i]) for i in set(what) & set(want) if what[i] != want[i]][:2]
        sys.exit(f"{len(what)} rows, not {len(want)}; ids on one side: {ids}; other: {other}")
    print(f"{len(what)} rows")


def same(path, table):
    differ(by_id(path), by_id(table))


def latest(path, table, cursor):
    given = rows(path)
    texts = {json.dumps(row, sort_keys=True) for row in given}
    if len(texts) != len(given):
        sys.exit(f"{len(given) - len(texts)} of {len(given)} rows were given twice")
    last = {}
    for row in given:
        if row["id"] not in last or row[cursor] >= last[row["id"]][cursor]:
            last[row["id"]] = row
    differ(last, by_id(table))


def replay(path, table):
    kept, seen, begun = {}, set(), False
    for number, change in enumerate(rows(path), 1):
        op, before, after, src = change["op"], change["before"], change["after"], change["src"]
        key = (before or after or {}).get("id")
        if op == "r":
            assert not begun, f"line {number}: a row that was there after a change"
            assert key not in kept, f"line {number}: {key} read twice"
        else:
            begun = True
            place = (src["lsn"], src["seq"])
            assert place not in seen, f"line {number}: {place} twice"
            seen.add(place)
        if op == "t":
            kept.clear()
            continue
        if op == "c":
            assert key not in kept, f"line {number}: {key} is there already"
        if op in "ud":
            assert key in kept, f"line {number}: {key} is not there"
            old = kept.pop(key)
        if op in "rcu":
            for name in change.get("unchanged", []):
                after[name] = old[name]
            kept[after["id"]] = after
    # A row from before a column was added has it not; the table has null.
    some = lambda found: {i: {k: v for k, v in row.items() if v is not None} for i, row in found.items()}
    differ(some(kept), some(by_id(table)))


def text_of(kind, value):
    """What the database should have written for a value."""
    if kind == "bytes":
        return base64.b64decode(value)
    if kind == "time":
        return value.replace("T", " ").removesuffix("Z").encode()
    return value.encode()


def cells(path, cells_path, *kinds):
    kinds = dict(word.split("=") for word in kinds)
    given = by_id(path)
    count = 0
    with open(cells_path, encoding="utf-8") as lines:
        for line in lines:
            key, name, written = line.rstrip("\n").split("\t")
            value, kind = given[key][name], kinds.get(name, "text")
            count += 1
            if written == "NULL" or value is None:
                assert written == "NULL" and value is None, f"{key}.{name}: {value} for {written}"
                continue
            want = bytes.fromhex(written)
            if kind in ("float", "double"):
                form = "f" if kind == "float" else "d"
                good = struct.pack(form, float(value)) == struct.pack(form, float(want))
            elif kind == "number":
                assert isinstance(value, Number), f"{key}.{name}: {value!r} is no number"
                good = Decimal(value) == Decimal(want.decode()) and Decimal(value).as_tuple().exponent == Decimal(want.decode()).as_tuple().exponent
            else:
                good = text_of(kind, value) == want
            assert good, f"{key}.{name}: {value!r} for {want!r}"
    print(f"{count} values")


try:
    {"same": same, "latest": latest, "replay": replay, "cells": cells}[sys.argv[1]](*sys.argv[2:])
except AssertionError as error:
    sys.exit(str(error))
