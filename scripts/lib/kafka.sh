# shellcheck shell=bash
# Real Apache Kafka brokers on loopback (KRaft, plain jars from Maven Central):
#
#   need_kafka                 jars, Java and kcat, once, into the cache
#   kafka_up DIR [COUNT]       one broker or three; then KAFKA is host:port,…
#   kafka_kill DIR N           kill -9 of broker N, its data stays
#   kafka_start DIR N          again
#   kafka_ready [COUNT]        that many brokers answer
#   kafka_tool CLASS ARG…      one of Kafka's own: TopicCommand, consumer.group.ConsumerGroupCommand, …
#   kafka_topic NAME PARTITIONS [KEY=VALUE…]
#   kafka_down DIR             ends all of them; the folder stays
#
# In the folder, of each broker: N.properties, N.log, N.pid and its data in N.
# KAFKA_OPTIONS adds lines to the properties of brokers that are yet to be made,
# KAFKA_LISTENERS listeners to those of one broker, each NAME:PROTOCOL:PORT.
#
# Left as they ship: unclean leader election is off, so three brokers with
# min.insync.replicas=2 lose nothing to a kill -9. One broker flushes to the
# page cache, which outlives its process but not its machine.

KAFKA_VERSION=4.4.0
KAFKA_JARS=$ORACLES_CACHE/kafka-$KAFKA_VERSION

need_kafka() {
  need java=default-jre-headless kcat=kcat || return 1
  [ ! -e "$KAFKA_JARS/formatted/meta.properties" ] || return 0
  { need mvn=maven && kafka_install; } || {
    say "Kafka could not be installed"
    rm -rf "$KAFKA_JARS"
    return 1
  }
}

# kafka_2.13 comes without a binding for its log, and without one it is mute.
kafka_install() {
  say "fetching Kafka $KAFKA_VERSION from Maven Central into $KAFKA_JARS"
  rm -rf "$KAFKA_JARS" && mkdir -p "$KAFKA_JARS" || return 1
  cat >"$KAFKA_JARS/pom.xml" <<END
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>bareplane</groupId><artifactId>kafka-jars</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$KAFKA_VERSION</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>$KAFKA_VERSION</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.5</version></dependency>
  </dependencies>
</project>
END
  mvn -q -B -f "$KAFKA_JARS/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$KAFKA_JARS/libs" >&2 || return 1
  # Formatting takes as long as starting does; all brokers are made from this one.
  kafka_properties "$KAFKA_JARS" formatted 1 1=127.0.0.1:1 127.0.0.1:2
  "${KAFKA_JAVA[@]}" kafka.tools.StorageTool format -t bareplane-bareplane-00 -c "$KAFKA_JARS/formatted.properties" >&2
}

# Small, and quick to be there: a test lives shorter than the second compiler needs.
KAFKA_FLAGS=${KAFKA_FLAGS:--Xms64m -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1}
# shellcheck disable=SC2206 # one word a flag
KAFKA_JAVA=(java $KAFKA_FLAGS -XX:-UsePerfData
  -Dlog4j2.level=WARN -cp "$KAFKA_JARS/libs/*")

# kafka_properties DIR NAME ID VOTERS BROKER: what a broker is started with.
kafka_properties() {
  local copies=1 listener more='' protocols=''
  [[ $4 != *,* ]] || copies=3
  for listener in ${KAFKA_LISTENERS:-}; do
    more+=,${listener%%:*}://127.0.0.1:${listener##*:} protocols+=,${listener%:*}
  done
  cat >"$1/$2.properties" <<END
process.roles=broker,controller
node.id=$3
controller.quorum.voters=$(sed -E 's/([0-9]+)=([^,]+)/\1@\2/g' <<<"$4")
listeners=PLAINTEXT://$5,CONTROLLER://$(sed -E "s/.*\b$3=([^,]+).*/\1/" <<<"$4")$more
advertised.listeners=PLAINTEXT://$5$more
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT$protocols
log.dirs=$1/$2
auto.create.topics.enable=false
num.partitions=4
default.replication.factor=$copies
min.insync.replicas=$(((copies + 1) / 2))
offsets.topic.replication.factor=$copies
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=$copies
transaction.state.log.min.isr=$(((copies + 1) / 2))
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=$copies
share.coordinator.state.topic.min.isr=$(((copies + 1) / 2))
transaction.max.timeout.ms=3600000
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
controller.quorum.election.timeout.ms=1000
broker.session.timeout.ms=6000
broker.heartbeat.interval.ms=500
replica.lag.time.max.ms=5000
controlled.shutdown.enable=false
num.network.threads=2
num.io.threads=2
log.cleaner.dedupe.buffer.size=2097152
log.retention.check.interval.ms=1000
log.segment.delete.delay.ms=1000
${KAFKA_OPTIONS:-}
END
}

kafka_up() {
  local dir=$1 count=${2:-1} n voters=() brokers=() KAFKA_TAKEN=()
  mkdir -p "$dir"
  for n in $(seq "$count"); do
    kafka_port && voters+=("$n=127.0.0.1:$KAFKA_PORT")
    kafka_port && brokers+=("127.0.0.1:$KAFKA_PORT")
  done
  export KAFKA
  KAFKA=$(IFS=,; echo "${brokers[*]}")
  for n in $(seq "$count"); do
    kafka_properties "$dir" "$n" "$n" "$(IFS=,; echo "${voters[*]}")" "${brokers[n - 1]}"
    cp -r "$KAFKA_JARS/formatted" "$dir/$n"
    sed -i "s/^node.id=.*/node.id=$n/; s/^directory.id=.*/directory.id=bareplane-folder-$n-000/" "$dir/$n/meta.properties"
    kafka_start "$dir" "$n"
  done
  wait_for 60 kafka_ready "$count" || {
    tail -n 5 "$dir"/*.log >&2
    return 1
  }
}

# A port nobody listens on, below those the kernel hands out, in KAFKA_PORT.
kafka_port() {
  for _ in $(seq 100); do
    KAFKA_PORT=$((20000 + RANDOM % 10000))
    [[ " ${KAFKA_TAKEN[*]} " != *" $KAFKA_PORT "* ]] || continue
    ! (exec 3<>"/dev/tcp/127.0.0.1/$KAFKA_PORT") 2>/dev/null || continue
    KAFKA_TAKEN+=("$KAFKA_PORT")
    return 0
  done
  return 1
}

kafka_start() {
  "${KAFKA_JAVA[@]}" kafka.Kafka "$1/$2.properties" >>"$1/$2.log" 2>&1 </dev/null &
  echo $! >"$1/$2.pid"
}

kafka_ready() {
  [ "$(kcat -b "$KAFKA" -L -J -m 2 2>/dev/null | jq '.brokers | length')" = "${1:-1}" ]
}

kafka_kill() {
  local dir=$1 n pid
  shift
  for n in "$@"; do
    pid=$(cat "$dir/$n.pid")
    # The shell would announce the death of its child.
    { kill -KILL "$pid" && wait "$pid"; } 2>/dev/null || true
    rm -f "$dir/$n.pid"
  done
}

kafka_down() {
  local file
  for file in "$1"/*.pid; do
    [ ! -e "$file" ] || kafka_kill "$1" "$(basename "$file" .pid)"
  done
}

kafka_tool() {
  local class=$1
  shift
  "${KAFKA_JAVA[@]}" "org.apache.kafka.tools.$class" --bootstrap-server "$KAFKA" "$@"
}

kafka_topic() {
  local name=$1 partitions=$2 pair config=()
  shift 2
  for pair in "$@"; do config+=(--config "$pair"); done
  kafka_tool TopicCommand --create --topic "$name" --partitions "$partitions" "${config[@]}" >/dev/null
}
