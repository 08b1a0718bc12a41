"""Messages with any bytes, as lines for kafka-relay and as kcat prints them.

messages.py COUNT LINES PRINTED
PRINTED is what `kcat -C -f '%K:%k|%S:%s|%h;'` makes of the messages.
"""

import base64
import json
import random
import sys

random.seed(7)


def some(longest):
    kind = random.randrange(6)
    if kind == 0:
        return None
    if kind == 1:
        return random.choice([b"", b"null", b"{}", b'{"a":1.50, "b":[1,2]}', b" 1 ", b"1e999", b"NaN", b'"x"', b"\xff\xfe", b"\0", b"a\nb", b'{"a":\n1}'])
    if kind == 2:
        return bytes(random.randrange(256) for _ in range(random.randrange(longest)))
    return json.dumps({"id": random.randrange(10**9), "text": "ü" * random.randrange(20)}, ensure_ascii=False).encode()


def field(name, value, fields):
    if value is None:
        fields[name] = None
        return
    try:
        text = value.decode()
    except UnicodeDecodeError:
        fields[name + "_b64"] = base64.b64encode(value).decode()
        return
    fields[name if name == "key" else "value_text"] = text


def header(value):
    if value is None:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(value).decode()}


def length(value):
    return -1 if value is None else len(value)


count, lines, printed = int(sys.argv[1]), open(sys.argv[2], "w"), open(sys.argv[3], "wb")
for _ in range(count):
    key, value = some(30), some(3000)
    # Names stand twice. kcat prints a header as C does, up to a zero byte: these have none.
    headers = [(random.choice(["h", "h", "trace-id"]), random.choice([None, b"1", b"\xff", "ü".encode()])) for _ in range(random.randrange(4))]
    fields = {"record": "message", "headers": [[name, header(value)] for name, value in headers]}
    field("key", key, fields)
    field("value", value, fields)
    print(json.dumps(fields), file=lines)
    shown = b",".join(name.encode() + b"=" + (b"NULL" if value is None else value) for name, value in headers)
    printed.write(b"%d:%s|%d:%s|%s;" % (length(key), key or b"", length(value), value or b"", shown))
