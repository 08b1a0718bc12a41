"""Events to measure with: events.py ROWS [USERS] > FILE

One a millisecond, up to 2 s out of order, 1 in 100 late by up to 120 s; 10,000 users, 20 countries,
amounts with two decimals, an object nobody asks for. 155 bytes a line. The same ones each time.
"""
import random
import sys


def main(rows, users=10_000):
    dice = random.Random(7)
    rand = dice.random
    countries = "SE DE FR US BR IT ES PL NL NO DK FI JP IN CN MX CA AU GB PT".split()
    out = []
    for number in range(rows):
        ms = number + int(rand() * 2000) - (int(rand() * 120_000) if rand() < 0.01 else 0) + 120_000
        second, ms = divmod(ms, 1000)
        out.append(
            f'{{"ts":"2026-01-01T{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}.{ms:03}Z","id":{number},'
            f'"user":"user{int(rand() * users)}","amount":{int(rand() * 1000)}.{int(rand() * 100):02},'
            f'"country":"{countries[int(rand() * 20)]}","meta":{{"source":"web","version":3,"ok":true}}}}\n'
        )
        if len(out) == 50_000:
            sys.stdout.write("".join(out))
            out.clear()
    sys.stdout.write("".join(out))


main(*map(int, sys.argv[1:]))
