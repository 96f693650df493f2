#!/bin/sh
# Records ZooKeeper dumps of a real cluster: one ZooKeeper and three Apache
# Kafka 2.8.2 brokers on loopback, in a temporary folder that is removed at the
# end (KEEP=1 keeps it). Every process is ended by its pid.
#
#   record.sh KAFKA_JARS OUT
#
# KAFKA_JARS  folder with the jars of Apache Kafka 2.8.2 (Scala 2.13) and all it
#             depends on, ZooKeeper 3.5.9 and an slf4j binding among them
# OUT         folder for NAME.znodes.jsonl, NAME.shell.txt and facts.txt
#
# Needs a JDK (the helper Recorder.java is compiled into the temporary folder).
set -eu
[ $# = 2 ] || { sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 64; }
jars=$(cd "$1" && pwd); mkdir -p "$2"; out=$(cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/kcsim-real.XXXXXX")
cp_="$jars/*:$work/classes"
pid_zk= pid_1= pid_2= pid_3=

cleanup() {
  for p in $pid_1 $pid_2 $pid_3 $pid_zk; do
    kill -CONT "$p" 2>/dev/null || :; kill -KILL "$p" 2>/dev/null || :
  done
  [ -n "${KEEP:-}" ] || rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

mkdir -p "$work/classes" "$work/zk"
cat > "$work/log4j.properties" <<P
log4j.rootLogger=WARN, F
log4j.appender.F=org.apache.log4j.FileAppender
log4j.appender.F.File=\${log.file}
log4j.appender.F.layout=org.apache.log4j.PatternLayout
log4j.appender.F.layout.ConversionPattern=[%d] %p %m (%c)%n
P
jvm() { # LOG MAIN ARGS...
  log=$1; shift
  exec java -Xms64m -Xmx256m -XX:TieredStopAtLevel=1 -Xshare:auto -Djava.awt.headless=true -Dlog.file="$work/$log" \
    -Dlog4j.configuration=file:"$work/log4j.properties" -cp "$cp_" "$@"
}
javac -nowarn -cp "$jars/*" -d "$work/classes" "$here/Recorder.java"
r() { (jvm recorder.log Recorder "$@"); }

set -- $(r ports 4)
zk=127.0.0.1:$1; port_1=$2 port_2=$3 port_3=$4
boot=127.0.0.1:$port_1,127.0.0.1:$port_2,127.0.0.1:$port_3

cat > "$work/zk/zoo.cfg" <<P
tickTime=2000
dataDir=$work/zk/data
clientPort=${zk#*:}
clientPortAddress=127.0.0.1
maxClientCnxns=0
admin.enableServer=false
P
(jvm zk.log org.apache.zookeeper.server.ZooKeeperServerMain "$work/zk/zoo.cfg") > "$work/zk.out" 2>&1 &
pid_zk=$!

start() { # broker id
  eval "port=\$port_$1"
  cat > "$work/$1.properties" <<P
broker.id=$1
listeners=PLAINTEXT://127.0.0.1:$port
zookeeper.connect=$zk
zookeeper.session.timeout.ms=18000
log.dirs=$work/data-$1
inter.broker.protocol.version=2.6
auto.create.topics.enable=false
auto.leader.rebalance.enable=false
unclean.leader.election.enable=false
default.replication.factor=3
min.insync.replicas=1
offsets.topic.num.partitions=10
offsets.topic.replication.factor=3
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=2
log.cleaner.enable=false
P
  (jvm "broker-$1.log" kafka.Kafka "$work/$1.properties") > "$work/broker-$1.out" 2>&1 &
  eval "pid_$1=$!"
  r wait "$zk" exists "/brokers/ids/$1"
}
sig() { eval "kill -$1 \$pid_$2"; }
slay() { # ids: SIGKILL, and wait until their sessions are gone
  for b; do sig KILL "$b"; done
  for b; do r wait "$zk" gone "/brokers/ids/$b"; eval "pid_$b="; done
  r wait "$zk" exists /controller
}
controller() { r get "$zk" /controller | sed 's/.*"brokerid":\([0-9]*\).*/\1/'; }
other() { for b in 1 2 3; do [ "$b" = "$1" ] || { echo "$b"; return; }; done; }
facts() { echo "$*" | tee -a "$out/facts.txt"; }
shell() { (jvm shell.log org.apache.zookeeper.ZooKeeperMainWithTlsSupportForKafka -server "$zk" < "$1") 2>&1; }
dump() { # NAME; the shell does not echo commands, so the gets follow the order of its own listing
  r dump "$zk" "$work/one" && mv "$work/one" "$out/$1.znodes.jsonl"
  { echo "ls -R /"; echo quit; } > "$work/commands"
  shell "$work/commands" | grep '^/' > "$work/listing"
  { echo "ls -R /"; sed 's/^/get -s /' "$work/listing"; echo quit; } > "$work/commands"
  shell "$work/commands" > "$out/$1.shell.txt"
  facts "$1: controller $(controller), controller epoch $(r get "$zk" /controller_epoch)"
}
settle() { sleep "${1:-4}"; }

: > "$out/facts.txt"
start 1; start 2; start 3

# ---- topics, data, offsets, a transaction
r create $boot orders '0:1,2,3;1:2,3,1;2:3,1,2;3:1,3,2;4:2,1,3;5:3,2,1;6:1,2,3;7:2,3,1;8:3,1,2;9:1,3,2;10:2,1,3;11:3,2,1' min.insync.replicas=2
r create $boot payments '0:1,2,3;1:2,3,1;2:3,1,2;3:1,3,2;4:2,1,3;5:3,2,1' min.insync.replicas=2 retention.ms=604800000
r create $boot clicks '0:1,2;1:2,3;2:3,1;3:1,3;4:2,1;5:3,2' unclean.leader.election.enable=true
r create $boot audit '0:1;1:2;2:3'
r create $boot sessions '0:1,2;1:2,3;2:3,1;3:1,3' cleanup.policy=compact
r create $boot scratch '0:1,2;1:2,3;2:3,1'
r produce $boot 50 - orders payments clicks audit sessions scratch
r consume $boot billing orders payments
r produce $boot 10 till-1 payments

# ---- history: the first controller is killed and returns, moves, elections, a deletion
first=$(controller); slay "$first"; start "$first"; r wait "$zk" full
r reassign $boot orders:0=3,2,1 clicks:0=1,2,3 audit:1=3; settle; r wait "$zk" full
r elect $boot orders:3 orders:6 orders:9 payments:0 payments:3 sessions:0
r delete $boot scratch; r wait "$zk" gone /admin/delete_topics/scratch
r produce $boot 20 - orders payments clicks
settle 6
dump healthy

# ---- a broker that is not the controller is down; then the controller dies too
c=$(controller); down=$(other "$c")
slay "$down"; r wait "$zk" without "$down"; settle
facts "broker $down was killed; the controller, $c, dies next"
dump one-broker-down
slay "$c"; settle
dump one-broker-down-then-controller-died
start "$c"; settle
dump one-broker-down-controller-returned
start "$down"; r wait "$zk" full

# ---- a reassignment to a broker that dies, and a deletion that it holds up
c=$(controller); down=$(other "$c")
eval "live=127.0.0.1:\$port_$c"
case $down in 1) to=2,1;; 2) to=1,2;; *) to=1,3;; esac
# a partition without a replica on the broker that will be down
case $down in 1) tp=sessions:1 to=2,1;; 2) tp=sessions:3 to=1,2;; *) tp=sessions:0 to=1,3;; esac
sig STOP "$down"                       # still registered, answers nothing
r reassign "$live" $tp=$to
slay "$down"; settle
r delete "$live" payments; settle
facts "broker $down was killed; $tp is on its way to [$to], payments is queued for deletion"
dump deletion-and-reassignment-stuck
start "$down"; r wait "$zk" gone /admin/delete_topics/payments; r wait "$zk" full; settle 6
dump deletion-and-reassignment-done
