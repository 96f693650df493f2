"""Apache Kafka 2.8.2: its jars, brokers and tools.

The jars are not part of this project. They lie in the folder that KCSIM_KAFKA_LIBS names, or are fetched
by Maven into build/kafka-libs where Maven and a JDK are; else the round says what is missing and is
skipped.

Brokers run at inter.broker.protocol.version 2.6 and are tuned to be light (small heaps, few threads),
not fast: two processors carry three of them, ZooKeeper, the clients and a tool at once.
"""

import os
import shutil
import signal
import subprocess

from .process import Failure, Skip, free_port, text, until

VERSION = "2.8.2"
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ROOT = os.path.dirname(os.path.dirname(HERE))


def libs():
    """The folder of the jars; Skip, saying what is missing."""
    folder = os.environ.get("KCSIM_KAFKA_LIBS") or os.path.join(ROOT, "build", "kafka-libs")
    core = os.path.join(folder, f"kafka_2.13-{VERSION}.jar")
    if not shutil.which("java"):
        raise Skip("no Java (Debian: default-jre-headless)")
    if os.path.exists(core):
        return folder
    if os.environ.get("KCSIM_KAFKA_LIBS"):
        raise Skip(f"KCSIM_KAFKA_LIBS has no {os.path.basename(core)}")
    for program, package in (("mvn", "maven"), ("javac", "default-jdk-headless")):
        if not shutil.which(program):
            raise Skip(f"Apache Kafka {VERSION} is fetched through Maven, and there is no {program} "
                       f"(Debian: {package}); or name a folder of its jars in KCSIM_KAFKA_LIBS")
    print(f"fetching Apache Kafka {VERSION} through Maven into {os.path.relpath(folder)}", flush=True)
    done = subprocess.run(["mvn", "-q", "-B", "-f", os.path.join(HERE, "pom.xml"),
                           "dependency:copy-dependencies", f"-DoutputDirectory={folder}"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900,
                          check=False)
    if done.returncode or not os.path.exists(core):
        raise Skip(f"Maven could not fetch Apache Kafka {VERSION}: {done.stdout[-500:]}")
    return folder


_JVM = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
        "-Djava.net.preferIPv4Stack=true", "-Djava.awt.headless=true"]

_LOG4J = """\
log4j.rootLogger=INFO, server
log4j.logger.kafka.controller=INFO, controller
log4j.additivity.kafka.controller=false
log4j.logger.state.change.logger={state}, state
log4j.additivity.state.change.logger=false
"""
_APPENDER = """\
log4j.appender.{name}=org.apache.log4j.FileAppender
log4j.appender.{name}.File={path}
log4j.appender.{name}.layout=org.apache.log4j.PatternLayout
log4j.appender.{name}.layout.ConversionPattern=[%d] %p %m (%c)%n
"""


class Broker:
    """One Kafka broker. start() again keeps port and data."""

    def __init__(self, stage, number, zk_address, settings=None, session_ms=6000, name=None, memory=256,
                 state_log="INFO"):
        self.stage = stage
        self.id = number
        self.name = name or f"broker-{number}"
        self.port = free_port()
        self.folder = stage.path(self.name)
        self.libs = libs()
        self.memory = memory
        self.process = None
        os.makedirs(self.folder)
        properties = {
            "broker.id": number,
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "zookeeper.connect": zk_address,
            "zookeeper.session.timeout.ms": session_ms,
            "zookeeper.connection.timeout.ms": 30000,
            "log.dirs": os.path.join(self.folder, "data"),
            "inter.broker.protocol.version": "2.6",
            "auto.leader.rebalance.enable": "false",
            "auto.create.topics.enable": "false",
            "unclean.leader.election.enable": "false",
            "log.cleaner.enable": "false",
            "log.index.size.max.bytes": 65536,
            "log.segment.delete.delay.ms": 1000,
            "num.network.threads": 2,
            "num.io.threads": 3,
            "background.threads": 2,
            "replica.lag.time.max.ms": 10000,
            "controlled.shutdown.retry.backoff.ms": 500,
            "offsets.topic.num.partitions": 3,
            "offsets.topic.replication.factor": 3,
            "transaction.state.log.num.partitions": 3,
            "transaction.state.log.replication.factor": 3,
            "group.initial.rebalance.delay.ms": 0,
            **(settings or {}),
        }
        with open(self.file("server.properties"), "w", encoding="utf-8") as f:
            f.writelines(f"{key}={value}\n" for key, value in properties.items())
        with open(self.file("log4j.properties"), "w", encoding="utf-8") as f:
            f.write(_LOG4J.format(state=state_log))
            for appender in ("server", "controller", "state"):
                f.write(_APPENDER.format(name=appender, path=self.file(f"{appender}.log")))

    def file(self, name):
        return os.path.join(self.folder, name)

    def start(self, wait=True):
        jute = ["-Djute.maxbuffer=67108864"]
        self.process = self.stage.start(self.name, _JVM + jute + [
            f"-Xmx{self.memory}m", f"-Dlog4j.configuration=file:{self.file('log4j.properties')}",
            "-cp", f"{self.libs}/*", "kafka.Kafka", self.file("server.properties")], self.folder)
        self.starts = text(self.file("server.log")).count("started (kafka.server.KafkaServer)")
        if wait:
            self.wait_started()

    def wait_started(self):
        def started():
            if not self.process.alive():
                raise Failure(f"{self.name} ended: {text(self.process.log)[-800:]}")
            log = text(self.file("server.log"))
            return log.count("started (kafka.server.KafkaServer)") > self.starts

        until(f"{self.name} starts", started, 120, 0.2)

    def shutdown(self, seconds=60):
        """Controlled shutdown (SIGTERM). Whether it ended by itself."""
        return self.process.stop(seconds)

    def kill(self):
        self.process.kill()


class Result:
    """What a tool said."""

    def __init__(self, name, code, out):
        self.name, self.code, self.out = name, code, out

    def require(self, *parts, code=0):
        """Failure unless it exited so and its output has all the parts."""
        if self.code != code:
            raise Failure(f"{self.name} exited with {self.code}, not {code}: {self.out[-1500:]}")
        for part in parts:
            if part not in self.out:
                raise Failure(f"{self.name} did not say {part!r}: {self.out[-1500:]}")
        return self


TOOLS = {
    "kafka-topics.sh": "kafka.admin.TopicCommand",
    "kafka-reassign-partitions.sh": "kafka.admin.ReassignPartitionsCommand",
    "kafka-leader-election.sh": "kafka.admin.LeaderElectionCommand",
    "kafka-configs.sh": "kafka.admin.ConfigCommand",
    "kafka-consumer-groups.sh": "kafka.admin.ConsumerGroupCommand",
    "kafka-console-consumer.sh": "kafka.tools.ConsoleConsumer",
    "kafka-console-producer.sh": "kafka.tools.ConsoleProducer",
}


class Tools:
    """Kafka's command line tools, by their scripts' names; each run is a process of its own."""

    def __init__(self, stage):
        self.folder = stage.path("tools")
        os.makedirs(self.folder)
        self.libs = libs()
        self.log4j = os.path.join(self.folder, "log4j.properties")
        with open(self.log4j, "w", encoding="utf-8") as f:
            f.write("log4j.rootLogger=WARN, stderr\n"
                    "log4j.appender.stderr=org.apache.log4j.ConsoleAppender\n"
                    "log4j.appender.stderr.Target=System.err\n"
                    "log4j.appender.stderr.layout=org.apache.log4j.PatternLayout\n"
                    "log4j.appender.stderr.layout.ConversionPattern=[%d] %p %m (%c)%n\n")
        self.runs = 0

    def command(self, name, *args):
        return _JVM + ["-Xmx128m", f"-Dlog4j.configuration=file:{self.log4j}", "-cp", f"{self.libs}/*",
                       TOOLS.get(name, name), *[str(a) for a in args]]

    def run(self, name, *args, seconds=90, stdin=""):
        """Result: exit status and both outputs together."""
        self.runs += 1
        wrap = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
        child = subprocess.Popen(wrap + self.command(name, *args), stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.folder,
                                 start_new_session=True)
        try:
            out, _ = child.communicate(stdin.encode(), timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            out, _ = child.communicate()
            raise Failure(f"{name} {' '.join(map(str, args))}: not within {seconds} s: "
                          f"{out.decode(errors='replace')[-1500:]}") from None
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        out = out.decode(errors="replace")
        with open(os.path.join(self.folder, "tools.log"), "a", encoding="utf-8") as f:
            f.write(f"$ {name} {' '.join(map(str, args))}\n{out}[{child.returncode}]\n")
        return Result(name, child.returncode, out)
