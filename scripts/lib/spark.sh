# shellcheck shell=bash
# PySpark with its Kafka connector, as a peer: SPARK is a Python that has it, SPARK_JARS the connector.

SPARK_WHEEL=pyspark==4.2.0
SPARK_CONNECTOR=4.2.0

need_spark() {
  local venv=$ORACLES_CACHE/$SPARK_WHEEL jars
  SPARK=$venv/bin/python jars=$venv/kafka
  need java=default-jre-headless || return 1
  if [ ! -e "$jars/complete" ]; then
    say "installing $SPARK_WHEEL and its Kafka connector into $venv (some hundred megabytes)"
    { need_venv && need mvn=maven && spark_install "$venv" "$jars"; } >&2 || {
      say "Spark could not be installed"
      rm -rf "$venv"
      return 1
    }
  fi
  export SPARK_JARS
  SPARK_JARS=$(printf '%s\n' "$jars"/*.jar | paste -sd,)
}

# What Spark itself brings is not brought twice.
spark_install() {
  python3 -m venv "$1" && "$1/bin/pip" install -q "$SPARK_WHEEL" || return 1
  rm -rf "$2" && mkdir -p "$2" || return 1
  cat >"$2/pom.xml" <<END
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>bareplane</groupId><artifactId>spark-kafka</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.spark</groupId><artifactId>spark-sql-kafka-0-10_2.13</artifactId><version>$SPARK_CONNECTOR</version>
      <exclusions>
        <exclusion><groupId>org.apache.hadoop</groupId><artifactId>*</artifactId></exclusion>
        <exclusion><groupId>org.scala-lang</groupId><artifactId>*</artifactId></exclusion>
        <exclusion><groupId>org.slf4j</groupId><artifactId>*</artifactId></exclusion>
        <exclusion><groupId>org.lz4</groupId><artifactId>*</artifactId></exclusion>
        <exclusion><groupId>org.xerial.snappy</groupId><artifactId>*</artifactId></exclusion>
        <exclusion><groupId>com.github.luben</groupId><artifactId>*</artifactId></exclusion>
      </exclusions></dependency>
  </dependencies>
</project>
END
  mvn -q -B -f "$2/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$2" && touch "$2/complete"
}
