"""Spark's windows of a minute by country, count, sum and average, watermark of 130 s:

    spark-windows.py file DIR           of the JSON lines in a folder
    spark-windows.py kafka BROKERS V P  of a topic, to a topic

Prints its CPU seconds, those of the JVM, from the session on and of the query alone, and the rows.
"""
import json
import os
import sys
import tempfile
import time

from pyspark.sql import SparkSession
from pyspark.sql import functions as f


def cpu(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(kind, where, *topics):
    began = time.time()
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.driver.host", "127.0.0.1").config("spark.driver.bindAddress", "127.0.0.1")
    builder = builder.config("spark.sql.shuffle.partitions", "2").config("spark.sql.session.timeZone", "UTC")
    if topics:
        builder = builder.config("spark.jars", os.environ["SPARK_JARS"])
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    jvm = spark._jvm.java.lang.ProcessHandle.current().pid()
    ready, ready_cpu = time.time(), cpu(jvm)
    schema = "ts timestamp, country string, amount decimal(12,2)"
    if topics:
        source = spark.readStream.format("kafka").option("kafka.bootstrap.servers", where).option("subscribe", topics[0])
        rows = source.option("startingOffsets", "earliest").load()
        rows = rows.select(f.from_json(f.col("value").cast("string"), schema).alias("r")).select("r.*")
    else:
        rows = spark.readStream.schema(schema).json(where)
    windows = rows.withWatermark("ts", "130 seconds").groupBy(f.window("ts", "1 minute"), "country")
    windows = windows.agg(f.count("*").alias("n"), f.sum("amount").alias("sum"), f.avg("amount").alias("avg"))
    with tempfile.TemporaryDirectory() as checkpoint:
        if topics:
            out = windows.select(f.to_json(f.struct("window", "country", "n", "sum", "avg")).alias("value"))
            sink = out.writeStream.format("kafka").option("kafka.bootstrap.servers", where).option("topic", topics[1])
        else:
            sink = windows.writeStream.format("memory").queryName("told")
        query = sink.outputMode("append").option("checkpointLocation", checkpoint).trigger(availableNow=True).start()
        query.awaitTermination()
        read = sum(progress["numInputRows"] for progress in query.recentProgress)
    done, done_cpu = time.time(), cpu(jvm)
    print(json.dumps({"rows": read, "cpu_s": done_cpu, "query_cpu_s": done_cpu - ready_cpu,
                      "wall_s": done - began, "query_wall_s": done - ready}))


main(*sys.argv[1:])
