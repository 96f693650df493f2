#!/bin/sh
# kafka.sh LIBS FOLDER: Apache Kafka's controller, as a broker that holds no replica, for bench/attached.
set -eu
mkdir -p "$2/data"
cat >"$2/server.properties" <<P
broker.id=$BENCH_ID
listeners=PLAINTEXT://127.0.0.1:$BENCH_PORT
zookeeper.connect=$BENCH_ZOOKEEPER
zookeeper.session.timeout.ms=18000
zookeeper.connection.timeout.ms=30000
log.dirs=$2/data
inter.broker.protocol.version=2.6
auto.leader.rebalance.enable=false
controlled.shutdown.enable=false
auto.create.topics.enable=false
log.cleaner.enable=false
P
cat >"$2/log4j.properties" <<P
log4j.rootLogger=WARN, F
log4j.appender.F=org.apache.log4j.FileAppender
log4j.appender.F.File=$2/kafka.log
log4j.appender.F.layout=org.apache.log4j.PatternLayout
log4j.appender.F.layout.ConversionPattern=[%d] %p %m (%c)%n
P
exec java -server -Xms1g -Xmx1g -XX:+UseG1GC -Djava.awt.headless=true -Djute.maxbuffer=67108864 \
    "-Dlog4j.configuration=file:$2/log4j.properties" -cp "$1/*" kafka.Kafka "$2/server.properties"
