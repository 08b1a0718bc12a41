import argparse
import json
import math
import os
import re
import sys
from datetime import datetime, timedelta, timezone
from decimal import Decimal

from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as f
from pyspark.sql import types as t

LINE_BYTES = 1 << 20
DIGITS = 24
ONE = 10**DIGITS
END_US = 84_006 * 86_400_000_000  # 2200-01-01
FAR_US = 1 << 62
GROWTH = 1.02
BETWEEN = "\x1e"
NUMBERS = ("sum", "min", "max", "avg", "quantile")
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
NAME = f'{STEP["pipeline"]}.{STEP["name"]}'


# Rows: what a line says, with every digit.


class Number(str):
    """A number as it was written."""


class Bad(Exception):
    """Why a line is no row: the field, if it is one's, and the reason."""


def no_number(text):
    raise Bad(None, f"{text} is no JSON")


def read_row(value):
    """The object of a line."""
    if len(value) > LINE_BYTES:
        raise Bad(None, f"longer than {LINE_BYTES} bytes")
    try:
        text = bytes(value).decode()
        row = json.loads(text, parse_int=Number, parse_float=Number, parse_constant=no_number)
        if "\\u" in text:
            json.dumps(row, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Bad(None, str(error)) from None
    if not isinstance(row, dict):
        raise Bad(None, "not an object")
    return row


def find(row, path):
    for name in path:
        if not isinstance(row, dict):
            return None
        row = row.get(name)
    return row


def kind(value):
    if isinstance(value, Number):
        return "a number"
    names = {str: "a string", bool: "true or false", list: "a list", dict: "an object"}
    return names.get(type(value), "null")


def written(value):
    """A value as JSON, numbers as they came."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{written(name)}:{written(below)}" for name, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII)


def time_of(value, field):
    """Microseconds since 1970."""
    if isinstance(value, Number):
        if not STEP["unit"]:
            raise Bad(field, "a number, and nobody said what it counts")
        whole, part = number_of(value, field)
        factor = {"s": 1_000_000, "ms": 1000, "us": 1}[STEP["unit"]]
        time_us = whole * factor + (abs(part) * factor // ONE) * (-1 if part < 0 else 1)
    elif isinstance(value, str):
        time_us = time_of_text(value)
        if time_us is None:
            raise Bad(field, "not a time of RFC 3339 such as 2026-01-31T12:00:00Z")
    else:
        raise Bad(field, f"a time is needed, this is {kind(value)}")
    if not 0 <= time_us < END_US:
        raise Bad(field, "not between 1970 and 2199")
    return time_us


def time_of_text(text):
    found = TIME.fullmatch(text)
    if not found:
        return None
    year, month, day, hour, minute, second = (int(found[n]) for n in range(1, 7))
    east = int(found[9] or 0) * 60 + int(found[10] or 0)
    if hour > 23 or minute > 59 or second > 60 or int(found[9] or 0) > 23 or int(found[10] or 0) > 59:
        return None
    try:
        date = datetime(year, month, day, tzinfo=timezone.utc) - EPOCH
    except ValueError:
        return None
    seconds = date.days * 86_400 + (hour * 60 + minute) * 60 + second
    seconds -= east * (-60 if found[8] == "-" else 60)
    return seconds * 1_000_000 + int((found[7] or "")[:6].ljust(6, "0"))


NUMBER = re.compile(r"(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?)(\d+))?", re.ASCII)


def number_of(value, field):
    """The whole and the part, in units of 10^-24: both have its sign."""
    sign, whole, part, below, exponent = NUMBER.fullmatch(value).groups(default="")
    digits = whole + part
    # What has more digits than that is far out on either side.
    power = int((below or "+") + (exponent.lstrip("0")[:18] or "0")) - len(part)
    short = digits.rstrip("0")
    power += len(digits) - len(short)
    short = short.lstrip("0")
    if not short:
        return 0, 0
    if -power > DIGITS or len(short) + power > DIGITS:
        raise Bad(field, f"more than {DIGITS} digits before or after the point")
    whole, part = divmod(int(short) * 10 ** (DIGITS + power), ONE)
    return (-whole, -part) if sign else (whole, part)


def bin_of(whole, part):
    """The sign, and the place among those of that sign, of bins that grow by a fiftieth."""
    value = float(whole) + float(part) / float(ONE)
    if value == 0:
        return (0, 0, 1)
    place = math.ceil(math.log(abs(value)) / math.log(GROWTH))
    return (-1, -place, 1) if value < 0 else (1, place, 1)


def parse(value):
    """Reason, field, time, key, and what each field that is wanted holds."""
    try:
        row = read_row(value)
        time_us = time_of(find(row, STEP["time"]["path"]), STEP["time"]["field"])
        keys = []
        for key in STEP["keys"]:
            found = find(row, key["path"])
            if isinstance(found, (list, dict)):
                raise Bad(key["field"], f"{kind(found)} cannot be a key")
            keys.append(written(found))
        values = []
        for wanted in STEP["inputs"]:
            found = find(row, wanted["path"])
            if found is None:
                values.append(None)
            elif not wanted["number"]:
                values.append(written(found))
            elif isinstance(found, Number):
                values.append(tuple(map(str, number_of(found, wanted["field"]))))
            else:
                raise Bad(wanted["field"], f"a number is needed, this is {kind(found)}")
        return (None, None, time_us, BETWEEN.join(keys), *values)
    except Bad as bad:
        field, why = bad.args
        return (why, field, None, None, *(None for _ in STEP["inputs"]))


def parsed_type():
    pair = t.StructType([t.StructField("w", t.StringType()), t.StructField("p", t.StringType())])
    fields = [t.StructField("why", t.StringType()), t.StructField("field", t.StringType())]
    fields += [t.StructField("ts", t.LongType()), t.StructField("group", t.StringType())]
    for n, wanted in enumerate(STEP["inputs"]):
        fields.append(t.StructField(f"i{n}", pair if wanted["number"] else t.StringType()))
    return t.StructType(fields)


def python(function, answers):
    """The same on every executor, whether it has Arrow or not."""
    return f.udf(function, answers, useArrow=False)


# Aggregates: what one row brings, how two are put together, and what comes out.


def whole_and_part(column):
    big = "decimal(38,0)"
    return column["w"].cast(big).alias("w"), column["p"].cast(big).alias("p")


BINS = t.ArrayType(t.StructType([t.StructField(name, t.IntegerType() if name != "n" else t.LongType()) for name in "spn"]))


def begun(aggregate):
    """What one row brings for an aggregate; null if it has no value."""
    if aggregate["function"] == "count":
        return f.lit(1).cast("long")
    value = f.col(f'r.i{aggregate["input"]}')
    function = aggregate["function"]
    if function in ("sum", "avg"):
        had = f.struct(*whole_and_part(value), f.lit(1).cast("long").alias("n"))
    elif function in ("min", "max"):
        had = f.struct(*whole_and_part(value))
    elif function in ("first", "last"):
        had = f.struct(f.col("r.ts").alias("ts"), "topic", "partition", "offset", value.alias("v"))
    elif function == "distinct":
        had = f.array(value)
    else:
        had = f.array(python(lambda whole, part: whole and bin_of(int(whole), int(part)), BINS.elementType)(value["w"], value["p"]))
    return f.when(value.isNotNull(), had)


def merged(aggregate, column):
    function = aggregate["function"]
    if function == "count":
        return f.sum(column)
    if function in ("sum", "avg"):
        return f.struct(*(f.sum(column[name]).cast(kind).alias(name) for name, kind in SUMMED))
    if function in ("min", "first"):
        return f.min(column)
    if function in ("max", "last"):
        return f.max(column)
    if function == "distinct":
        return f.array_distinct(f.flatten(f.collect_set(column)))
    return python(merge_bins, BINS)(f.flatten(f.collect_list(column)))


SUMMED = (("w", "decimal(38,0)"), ("p", "decimal(38,0)"), ("n", "long"))


def merge_bins(bins):
    counts = {}
    for sign, place, count in bins:
        counts[sign, place] = counts.get((sign, place), 0) + count
    return [(*at, counts[at]) for at in sorted(counts)]


def decimal_text(units):
    """A number of units of 10^-24, without zeros at its end."""
    whole, part = divmod(abs(units), ONE)
    sign = "-" if units < 0 else ""
    return f"{sign}{whole}.{part:0{DIGITS}}".rstrip("0").rstrip(".")


def units(pair):
    return int(pair["w"]) * ONE + int(pair["p"])


def mean(total, count):
    """To 12 digits after the point, halves away from zero."""
    step = 10**12
    size = abs(total) // count
    size = (size + step // 2) // step * step
    return -size if total < 0 else size


def power(base, exponent):
    """As the compiler of stream-agg multiplies: the last bit is the same."""
    result, left = 1.0, abs(exponent)
    while left:
        if left & 1:
            result *= base
        left >>= 1
        if left:
            base *= base
    return 1 / result if exponent < 0 else result


def quantile(bins, per_mille):
    rank = max(-(-sum(count for _, _, count in bins) * per_mille // 1000), 1)
    before = 0
    for sign, place, count in bins:
        before += count
        if before >= rank:
            value = sign * 2 * power(GROWTH, sign * place) / (GROWTH + 1)
            text = format(Decimal(repr(float(f"{value:.8e}"))), "f")
            return text.rstrip("0").rstrip(".") if "." in text else text
    return "null"


def answer(aggregate, had):
    function = aggregate["function"]
    if function == "distinct":
        return str(len(had or []))
    if function == "count":
        return str(had)
    if had is None or (function in ("sum", "avg") and not had["n"]):
        return "null"
    if function == "sum":
        return decimal_text(units(had))
    if function == "avg":
        return decimal_text(mean(units(had), had["n"]))
    if function in ("min", "max"):
        return decimal_text(units(had))
    if function in ("first", "last"):
        return had["v"]
    return quantile(had, aggregate["per_mille"])


def time_text(time_us):
    time = EPOCH + timedelta(microseconds=time_us)
    digits = time.microsecond
    part = f".{digits // 1000:03}" if digits and digits % 1000 == 0 else f".{digits:06}" if digits else ""
    return f"{time:%Y-%m-%dT%H:%M:%S}{part}Z"


def result(start_us, end_us, group, *aggregates):
    """The key and the text of a row of output."""
    keys = [f"{written(key['name'])}:{text}" for key, text in zip(STEP["keys"], group.split(BETWEEN))]
    start = f'"window_start":"{time_text(start_us)}"'
    fields = [start, f'"window_end":"{time_text(end_us)}"', *keys]
    fields += [f"{written(a['name'])}:{answer(a, had)}" for a, had in zip(STEP["aggregates"], aggregates)]
    fields += ['"rev":0', '"final":true']
    return "{" + ",".join([start, *keys]) + "}", "{" + ",".join(fields) + "}"


# A batch: what is late, what goes into which window, which windows are over.

COUNT = len(STEP["aggregates"])
NO_MARKS = {"watermark": None, "first": None, "partitions": [], "flushed": False}
HEADERS = "array<struct<key:string,value:binary>>"


def header(name, value):
    return f.struct(f.lit(name).alias("key"), value.cast("binary").alias("value"))


def with_headers(*more):
    """Those a message had, and more."""
    had = f.coalesce(f.col("headers"), f.array().cast(HEADERS))
    return f.concat(had, f.array(*more).cast(HEADERS))


def judged(good, marks):
    """Rows with the time before which all is over for them."""
    watermark = f.lit(marks["watermark"]).cast("long")
    if STEP["judge"] == "batch":
        return good.withColumn("over", f.coalesce(watermark, f.lit(-FAR_US)))
    known = [(place[0], place[1], latest) for *place, latest, _ in marks["partitions"]]
    known = good.sparkSession.createDataFrame(known, "topic string, partition int, latest long")
    before = Window.partitionBy("topic", "partition").orderBy("offset").rowsBetween(Window.unboundedPreceding, -1)
    seen = f.greatest(f.max("r.ts").over(before), f.col("latest")) - STEP["bound_us"]
    rows = good.join(f.broadcast(known), ["topic", "partition"], "left")
    return rows.withColumn("over", f.coalesce(f.greatest(seen, watermark), f.lit(-FAR_US))).drop("latest")


def placed(rows):
    """Each row with the windows it is in; none if it is late."""
    ts, lateness = f.col("r.ts"), STEP["lateness_us"]
    if STEP["gap_us"]:
        end = ts + STEP["gap_us"]
        late = ts + lateness < f.col("over") if STEP["judge"] == "row" else end + lateness <= f.col("over")
        window = f.array(f.struct(ts.alias("start"), end.alias("end")))
        return rows.withColumn("windows", f.when(~late, window).otherwise(f.slice(window, 1, 0)))
    size, every = STEP["size_us"], STEP["every_us"]
    newest = ts - ts % every
    starts = f.transform(f.sequence(f.lit(0), f.lit((size - 1) // every)), lambda n: newest - n.cast("long") * every)
    starts = f.filter(starts, lambda start: (start + size > ts) & (start + size + lateness > f.col("over")))
    return rows.withColumn("windows", f.transform(starts, lambda s: f.struct(s.alias("start"), (s + size).alias("end"))))


def together(parts):
    """Parts of the same window and key, put together."""
    columns = [merged(a, f.col(f"a{n}")).alias(f"a{n}") for n, a in enumerate(STEP["aggregates"])]
    if not STEP["gap_us"]:
        return parts.groupBy("start", "end", "group").agg(*columns)
    ordered = Window.partitionBy("group").orderBy("start", "end")
    before = f.max("end").over(ordered.rowsBetween(Window.unboundedPreceding, -1))
    parts = parts.withColumn("new", f.when(f.col("start") < before, 0).otherwise(1))
    parts = parts.withColumn("session", f.sum("new").over(ordered.rowsBetween(Window.unboundedPreceding, 0)))
    ends = [f.min("start").alias("start"), f.max("end").alias("end")]
    return parts.groupBy("group", "session").agg(*ends, *columns).drop("session")


def moved(marks, seen):
    """The marks after a batch: how far each partition is, and with them the watermark."""
    known = {(topic, number): (latest, at) for topic, number, latest, at in marks["partitions"]}
    for topic, number, latest, at in seen:
        before = known.get((topic, number), (latest, at))
        known[topic, number] = (max(latest, before[0]), max(at, before[1]))
    if not known:
        return marks
    first = marks["first"] if marks["first"] is not None else min(at for _, _, _, at in seen)
    newest = max(at for _, at in known.values())
    if STEP["judge"] == "batch":
        watermark = max(latest for latest, _ in known.values())
    else:
        wanted = {(topic["name"], number) for topic in STEP["topics"] for number in range(topic["partitions"])}
        active = []
        for place in wanted | set(known):
            latest, at = known.get(place, (-FAR_US, first))
            if STEP["idle_ms"] is None or newest - at <= STEP["idle_ms"]:
                active.append(latest)
        watermark = min(active)
    watermark -= STEP["bound_us"]
    if marks["watermark"] is not None:
        watermark = max(watermark, marks["watermark"])
    places = sorted([topic, number, latest, at] for (topic, number), (latest, at) in known.items())
    return {**NO_MARKS, "watermark": watermark if watermark > -FAR_US // 2 else None, "first": first, "partitions": places}


def results(closed):
    """Windows that are over, as messages."""
    row = python(result, "key string, value string")
    columns = [f.col(f"a{n}") for n in range(COUNT)]
    told = closed.select(row("start", "end", "group", *columns).alias("row"))
    dedupe = header("dedupe", f.concat(f.lit(NAME + " "), f.col("row.key")))
    return told.select(
        f.lit("result").alias("kind"), f.lit(STEP["to"]).alias("topic"), f.col("row.key").cast("binary").alias("key"),
        f.col("row.value").cast("binary").alias("value"), f.array(dedupe).cast(HEADERS).alias("headers"),
        f.lit(None).cast("string").alias("place"))


def aside(rows, what, topic, *more):
    """Rows as they came, for another topic."""
    place = f.concat_ws("/", "topic", "partition", "offset")
    dedupe = header("dedupe", f.concat(f.lit(NAME + " "), place))
    return rows.select(f.lit(what).alias("kind"), topic.alias("topic"), "key", "value",
                       with_headers(*more, dedupe).alias("headers"), place.alias("place"))


def over(marks, parts):
    """Which parts no row can come to any more."""
    watermark = FAR_US if marks["flushed"] else marks["watermark"]
    if watermark is None:
        return parts.where(f.lit(False))
    return parts.where(f.col("end") + STEP["lateness_us"] <= watermark)


def step(rows, still_open, marks):
    """Messages to send, windows that stay open, and the marks, after a batch of messages."""
    rows = rows.where(f.col("value").isNotNull() & (f.length(f.trim(f.col("value").cast("string"))) > 0))
    rows = rows.withColumn("r", python(parse, parsed_type())("value")).persist()
    bad, good = rows.where("r.why is not null"), rows.where("r.why is null")
    seen = good.groupBy("topic", "partition").agg(f.max("r.ts"), f.max("at")).collect()
    all_placed = placed(judged(good, marks)).persist()
    late = all_placed.where(f.size("windows") == 0)
    new = all_placed.select("*", f.explode("windows").alias("window"))
    new = new.select("window.start", "window.end", f.col("r.group").alias("group"),
                     *(begun(a).alias(f"a{n}") for n, a in enumerate(STEP["aggregates"])))
    parts = together(new if still_open is None else together(new).unionByName(still_open)).persist()
    after = moved(marks, seen)
    closed = over(after, parts)
    told = results(closed)
    if STEP["late"] is not None:
        told = told.unionByName(aside(late, "late", f.lit(STEP["late"])))
    elif STEP["sample"]:
        told = told.unionByName(aside(late, "late", f.lit("")))
    why = [header("error", f.col("r.why")), header("topic", f.col("topic"))]
    why += [header(name, f.col(name).cast("string")) for name in ("partition", "offset")]
    if STEP["reject"]:
        told = told.unionByName(aside(bad, "reject", f.concat("topic", f.lit(".reject")), *why))
    elif not STEP["sample"] and (first := bad.orderBy("topic", "partition", "offset").first()):
        raise SystemExit(f"{first.topic} {first.partition} {first.offset}: {first.r.why}")
    still = parts.where(f.lit(True)) if after["watermark"] is None else parts.where(f.col("end") + STEP["lateness_us"] > after["watermark"])
    return told, still, after, [rows, all_placed, parts]


# State: what is open after each batch, beside the checkpoint. Batch N begins with what N-1 left,
# so that a batch that is run again makes the same of the same rows.


class State:
    def __init__(self, spark, folder):
        self.spark, self.folder = spark, folder
        self.path = spark._jvm.org.apache.hadoop.fs.Path
        self.files = self.path(folder).getFileSystem(spark._jsc.hadoopConfiguration())

    def last(self):
        if not self.files.exists(self.path(self.folder)):
            return None
        names = [file.getPath().getName() for file in self.files.listStatus(self.path(self.folder))]
        numbers = [int(name) for name in names if name.isdigit()]
        numbers = [number for number in numbers if self.files.exists(self.path(f"{self.folder}/{number}/marks/_SUCCESS"))]
        return max(numbers, default=None)

    def load(self, number):
        marks = json.loads(self.spark.read.text(f"{self.folder}/{number}/marks").first()[0])
        return (None if marks["flushed"] else self.spark.read.parquet(f"{self.folder}/{number}/open")), marks

    def before(self, number):
        if number == 0:
            return None, NO_MARKS
        if not self.files.exists(self.path(f"{self.folder}/{number - 1}/marks/_SUCCESS")):
            raise SystemExit(f"{self.folder}/{number - 1} is missing: what was open before batch {number} is not known")
        return self.load(number - 1)

    def keep(self, number, still_open, marks):
        if still_open is not None:
            still_open.write.mode("overwrite").parquet(f"{self.folder}/{number}/open")
        text = self.spark.createDataFrame([(json.dumps(marks),)], "value string")
        text.coalesce(1).write.mode("overwrite").text(f"{self.folder}/{number}/marks")
        self.files.delete(self.path(f"{self.folder}/{number - 2}"), True)


# Kafka: librdkafka's names, as the document has them, in those of the Java client.

SAME = re.compile(r"security\.protocol|client\.id|ssl\.(?:endpoint.*|cipher.*)|sasl\.kerberos\.service\.name|"
                  r"(?:request|session|metadata|fetch|max|retry|reconnect|connections)\..*|compression\.type|linger\.ms|batch\.size")


def secret(place):
    if place is None:
        return ""
    how, where = place.split(":", 1)
    if how == "env":
        if where not in os.environ:
            raise SystemExit(f"the variable {where} is not set")
        return os.environ[where]
    with open(where, encoding="utf-8") as file:
        return file.read()


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def kafka_options(brokers):
    config = dict(STEP["config"])
    for line in secret(STEP["security"]).splitlines():
        name, found, value = line.partition("=")
        if found and not line.lstrip().startswith("#"):
            config[name.strip()] = value.strip()
    options = {"kafka.bootstrap.servers": brokers}
    user, password = config.pop("sasl.username", None), config.pop("sasl.password", None)
    mechanism = config.pop("sasl.mechanism", None) or config.pop("sasl.mechanisms", None)
    if mechanism:
        options["kafka.sasl.mechanism"] = mechanism
    if user is not None and password is not None:
        login = "scram.Scram" if (mechanism or "").startswith("SCRAM") else "plain.Plain"
        options["kafka.sasl.jaas.config"] = (
            f"org.apache.kafka.common.security.{login}LoginModule required username={quoted(user)} password={quoted(password)};")
    if trusted := config.pop("ssl.ca.location", None):
        options |= {"kafka.ssl.truststore.type": "PEM", "kafka.ssl.truststore.location": trusted}
    chain, key = config.pop("ssl.certificate.location", None), config.pop("ssl.key.location", None)
    if chain and key:
        options |= {"kafka.ssl.keystore.type": "PEM", "kafka.ssl.keystore.certificate.chain": secret(f"file:{chain}"),
                    "kafka.ssl.keystore.key": secret(f"file:{key}")}
    for name, value in config.items():
        if SAME.fullmatch(name):
            options[f"kafka.{name}"] = value
        else:
            print(f"{NAME}: {name} has no name in the Java client, and is not used", file=sys.stderr)
    return options


# The job.


def stream(args):
    spark = SparkSession.builder.appName(NAME).config("spark.sql.session.timeZone", "UTC").getOrCreate()
    options = kafka_options(args.brokers)
    state = State(spark, f'{args.checkpoint.rstrip("/")}/windows')

    def send(told):
        told.select("topic", "key", "value", "headers").write.format("kafka").options(**options).save()

    def batch(rows, number):
        still_open, marks = state.before(number)
        told, still, after, kept = step(rows, still_open, marks)
        send(told)
        state.keep(number, still, after)
        for frame in kept:
            frame.unpersist()

    source = spark.readStream.format("kafka").options(**options).option("includeHeaders", "true")
    source = source.option("subscribe", ",".join(topic["name"] for topic in STEP["topics"]))
    source = source.option("startingOffsets", args.begin).option("kafka.isolation.level", "read_committed")
    if args.max_offsets:
        source = source.option("maxOffsetsPerTrigger", args.max_offsets)
    rows = source.load().withColumn("at", f.unix_millis("timestamp"))
    writer = rows.writeStream.foreachBatch(batch).option("checkpointLocation", args.checkpoint)
    writer = writer.trigger(availableNow=True) if args.once else writer.trigger(processingTime=args.every)
    writer.start().awaitTermination()
    last = state.last()
    if args.flush and last is not None:
        still_open, marks = state.load(last)
        if still_open is not None:
            marks["flushed"] = True
            send(results(over(marks, still_open)))
            state.keep(last, None, {**marks, "watermark": FAR_US})
    spark.stop()


def sample(args):
    """The same on the lines of a file, as one batch: what would be sent comes out as lines."""
    STEP["sample"] = True
    builder = SparkSession.builder.master("local[2]").appName(NAME).config("spark.sql.session.timeZone", "UTC")
    builder = builder.config("spark.ui.enabled", "false").config("spark.sql.shuffle.partitions", "2")
    builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    topic = STEP["topics"][0]["name"]
    STEP["topics"] = [{"name": topic, "partitions": 1}]
    with open(args.sample, "rb") as lines:
        rows = [(topic, 0, number, 0, None, line.rstrip(b"\r\n"), None) for number, line in enumerate(lines, 1)]
    columns = f"topic string, partition int, offset long, at long, key binary, value binary, headers {HEADERS}"
    told, still, marks, _ = step(spark.createDataFrame(rows, columns), None, NO_MARKS)
    marks["flushed"] = True
    for row in told.unionByName(results(over(marks, still))).orderBy("kind", "place", "value").toLocalIterator():
        line = row.place and int(row.place.rsplit("/", 1)[1])
        text = None if line else bytes(row.value).decode()
        print(json.dumps({"kind": row.kind, "line": line, "row": text}, ensure_ascii=False), flush=True)
    # The JVM holds standard output too: whoever reads it waits for both.
    jvm = spark.sparkContext._gateway.proc
    spark.stop()
    jvm.stdin.close()
    jvm.wait(30)


def main():
    parser = argparse.ArgumentParser(description=f"Windows of {NAME}")
    parser.add_argument("--brokers", default=STEP["brokers"], help="HOST:PORT,...")
    parser.add_argument("--checkpoint", help="a folder all executors can write to")
    parser.add_argument("--begin", default="earliest", help="where to begin the first time: earliest or latest")
    parser.add_argument("--every", default="10 seconds", help="how often there is a batch")
    parser.add_argument("--max-offsets", type=int, help="how many messages a batch has at most")
    parser.add_argument("--once", action="store_true", help="stop where the topics end now")
    parser.add_argument("--flush", action="store_true", help="then close all windows: nothing may come afterwards")
    parser.add_argument("--sample", metavar="FILE", help="compute the lines of a file instead, and print")
    args = parser.parse_args()
    if args.sample:
        return sample(args)
    if not args.checkpoint or not args.brokers or (args.flush and not args.once):
        parser.error("--checkpoint and --brokers are needed; --flush goes with --once")
    return stream(args)


if __name__ == "__main__":
    main()
