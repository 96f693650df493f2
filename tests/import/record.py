#!/usr/bin/env python3
"""Makes the corpus of tests/import: logs of three real Kafka brokers and of their ZooKeeper.

    record.py 2.8.2 FOLDER [--trace]        state.change.logger at INFO as in Kafka's own file, or at TRACE
    record.py 0.8.2.2 FOLDER

What happens is the same each time (`story` below); the brokers' log4j.properties has the levels of the one
that Kafka ships. In the end FOLDER has broker-N/{controller,state-change,server}.log, the server's
transaction log as three tools print it (zookeeper-*.log), what ZooKeeper held (znodes.jsonl) and what
kafka-topics.sh said (describe.txt). Quiet minutes are not there: nobody waits longer than for the next
thing to happen.

Jars: KCSIM_KAFKA_LIBS (2.8.2) and KCSIM_KAFKA_082_LIBS, or Maven fetches them (pom-0.8.2.xml).
"""

import argparse
import glob
import gzip
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "kafka"))

from kcsim_harness import checks, kafka  # noqa: E402
from kcsim_harness.process import Failure, Stage, text, until  # noqa: E402
from kcsim_harness.zookeeper import ZooKeeper, class_path  # noqa: E402

IDS = (1, 2, 3)

LOG4J = """\
log4j.rootLogger=INFO, server
log4j.logger.kafka=INFO
log4j.logger.org.apache.kafka=INFO
log4j.logger.kafka.controller=TRACE, controller
log4j.additivity.kafka.controller=false
log4j.logger.state.change.logger={state}, state
log4j.additivity.state.change.logger=false
"""


def set_levels(broker, state):
    """Kafka's own levels, in place of the harness's."""
    names = {"server": "server", "controller": "controller", "state": "state-change"}
    with open(broker.file("log4j.properties"), "w", encoding="utf-8") as f:
        f.write(LOG4J.format(state=state))
        for appender, name in names.items():
            f.write(kafka._APPENDER.format(name=appender, path=broker.file(f"{name}.log")))


class Old(kafka.Broker):
    """A broker of 0.8.2.2."""

    def __init__(self, stage, number, zk_address):
        super().__init__(stage, number, zk_address)
        self.libs = old_libs()
        properties = {
            "broker.id": number, "host.name": "127.0.0.1", "port": self.port,
            "advertised.host.name": "127.0.0.1", "zookeeper.connect": zk_address,
            "zookeeper.session.timeout.ms": 6000, "zookeeper.connection.timeout.ms": 30000,
            "log.dirs": os.path.join(self.folder, "data"), "auto.leader.rebalance.enable": "false",
            "auto.create.topics.enable": "false", "delete.topic.enable": "true",
            "controlled.shutdown.enable": "true", "log.index.size.max.bytes": 65536,
            "num.network.threads": 2, "num.io.threads": 3, "background.threads": 2,
        }
        with open(self.file("server.properties"), "w", encoding="utf-8") as f:
            f.writelines(f"{key}={value}\n" for key, value in properties.items())

    def start(self, wait=True):
        self.process = self.stage.start(self.name, kafka._JVM + [
            "-Xmx256m", "-Duser.timezone=UTC",
            f"-Dlog4j.configuration=file:{self.file('log4j.properties')}",
            "-cp", f"{self.libs}/*", "kafka.Kafka", self.file("server.properties")], self.folder)
        self.starts = text(self.file("server.log")).count("started (kafka.server.KafkaServer)")
        if wait:
            self.wait_started()


def old_libs():
    folder = os.environ.get("KCSIM_KAFKA_082_LIBS") or os.path.join(kafka.ROOT, "build", "kafka-082-libs")
    if not os.path.exists(os.path.join(folder, "kafka_2.10-0.8.2.2.jar")):
        subprocess.run(["mvn", "-q", "-B", "-f", os.path.join(HERE, "pom-0.8.2.xml"),
                        "dependency:copy-dependencies", f"-DoutputDirectory={folder}"], check=True)
    return folder


class Cluster:
    def __init__(self, stage, version, trace):
        self.stage, self.version = stage, version
        self.server = ZooKeeper(stage)
        self.zk = self.server.client()
        self.tools = kafka.Tools(stage)
        if version == "0.8.2.2":
            self.tools.libs = old_libs()
            self.brokers = {n: Old(stage, n, self.server.address) for n in IDS}
        else:
            self.brokers = {n: kafka.Broker(stage, n, self.server.address) for n in IDS}
        for broker in self.brokers.values():
            set_levels(broker, "TRACE" if trace or version == "0.8.2.2" else "INFO")
        self.servers = ",".join(f"127.0.0.1:{b.port}" for b in self.brokers.values())

    def where(self):
        return ("--zookeeper", self.server.address)

    def controller(self):
        got = checks.holder(self.zk)
        return got[0] if got else None

    def states(self):
        return {f"{t}-{p}": s for (t, p), (s, _) in checks.states(self.zk, None).items()}

    def wait(self, what, test, seconds=60):
        until(what, test, seconds, 0.1)

    def wait_in_sync(self, **sizes):
        """All partitions of topic have that many in sync."""
        self.wait(f"in sync: {sizes}", lambda: all(
            len(s["isr"]) == sizes[tp.rsplit("-", 1)[0]] for tp, s in self.states().items()
            if tp.rsplit("-", 1)[0] in sizes))

    def create(self, name, replicas):
        self.tools.run("kafka-topics.sh", *self.where(), "--create", "--topic", name, "--replica-assignment",
                       ",".join(":".join(map(str, r)) for r in replicas)).require("Created topic")

    def elect_preferred(self):
        if self.version == "0.8.2.2":
            return self.tools.run("kafka.admin.PreferredReplicaLeaderElectionCommand", *self.where())
        return self.tools.run("kafka-leader-election.sh", "--bootstrap-server", self.servers,
                              "--election-type", "PREFERRED", "--all-topic-partitions")

    def reassign(self, wanted):
        path = self.stage.path("reassign.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump({"version": 1, "partitions": [
                {"topic": t, "partition": p, "replicas": r} for (t, p), r in wanted.items()]}, f)
        self.tools.run("kafka.admin.ReassignPartitionsCommand", *self.where(),
                       "--reassignment-json-file", path, "--execute").require("Successfully started")


def story(cluster):
    """The controller dies and comes back, a reassignment, elections, a shutdown, a deletion."""
    brokers = cluster.brokers
    for broker in brokers.values():
        broker.start()
    cluster.create("orders", [[1, 2, 3], [2, 3, 1], [3, 1, 2]])
    cluster.create("gone", [[1, 2], [2, 3]])
    cluster.wait("all partitions led", lambda: len(cluster.states()) == 5)
    cluster.wait_in_sync(orders=3, gone=2)
    first = cluster.controller()
    brokers[first].kill()
    cluster.wait("another controller", lambda: cluster.controller() not in (first, None))
    cluster.wait("leaders moved", lambda: all(s["leader"] != first for s in cluster.states().values()))
    brokers[first].start()
    cluster.wait_in_sync(orders=3, gone=2)
    cluster.elect_preferred()
    cluster.wait("preferred leaders", lambda: all(
        cluster.states()[f"orders-{p}"]["leader"] == p + 1 for p in range(3)))
    cluster.reassign({("orders", 0): [2, 3]})
    cluster.wait("reassigned", lambda: sorted(cluster.states()["orders-0"]["isr"]) == [2, 3])
    cluster.wait("reassignment told", lambda: not is_reassigning(cluster))
    second = cluster.controller()
    other = next(n for n in IDS if n not in (first, second))
    brokers[other].shutdown()
    cluster.wait("shut down", lambda: all(s["leader"] != other for s in cluster.states().values()))
    brokers[other].start()
    cluster.wait_in_sync(gone=2)
    cluster.tools.run("kafka-topics.sh", *cluster.where(), "--delete", "--topic", "gone")
    cluster.wait("deleted", lambda: "gone" not in cluster.zk.children("/brokers/topics"))
    cluster.wait("deletion done", lambda: not cluster.zk.children("/admin/delete_topics"))
    brokers[first].kill()
    cluster.wait("leaders moved again", lambda: all(s["leader"] != first for s in cluster.states().values()))


def is_reassigning(cluster):
    return cluster.zk.exists("/admin/reassign_partitions") is not None


def tree(zk, path="/"):
    got = zk.get(path)
    if got is None:
        return
    data, stat = got
    yield path, data, stat
    for child in sorted(zk.children(path)):
        if path == "/" and child == "zookeeper":
            continue
        yield from tree(zk, (path if path != "/" else "") + "/" + child)


def dump(jars, main, log, out):
    env = {**os.environ, "TZ": "UTC"}
    done = subprocess.run(["java", "-Duser.timezone=UTC", "-Duser.language=en", "-Duser.country=US", "-cp", jars, *main, log],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, check=False)
    if done.returncode:
        print(f"{main}: {done.stderr.decode()[-300:]}")
    with open(out, "ab") as f:
        f.write(done.stdout)


def trim(source, target, stage_folder):
    """A copy without what belongs to the machine: the stage's folder, and what ZooKeeper's client says of its
    environment. Larger than 100 kB: packed; larger than 1 MB (0.8.2's fetchers flood): left out."""
    with open(source, encoding="utf-8", errors="replace") as f:
        lines = [line.replace(stage_folder, "/kafka") for line in f if "Client environment:" not in line]
    data = "".join(lines).encode()
    if len(data) > 1_000_000:
        return
    if len(data) > 100_000:
        with gzip.GzipFile(target + ".gz", "wb", mtime=0) as f:
            f.write(data)
        return
    with open(target, "wb") as f:
        f.write(data)


def collect(cluster, folder):
    described = cluster.tools.run("kafka-topics.sh", *cluster.where(), "--describe").out
    with open(os.path.join(folder, "describe.txt"), "w", encoding="utf-8") as f:
        f.write(described)
    with open(os.path.join(folder, "znodes.jsonl"), "w", encoding="utf-8") as f:
        for path, data, stat in tree(cluster.zk):
            f.write(json.dumps({"path": path, "data": data.decode(errors="replace") if data is not None else None,
                                "stat": stat._asdict()}) + "\n")
    for n, broker in cluster.brokers.items():
        where = os.path.join(folder, f"broker-{n}")
        os.makedirs(where, exist_ok=True)
        for name in ("controller.log", "state-change.log", "server.log"):
            if os.path.exists(broker.file(name)):
                trim(broker.file(name), os.path.join(where, name), cluster.stage.folder)
    cluster.server.process.kill()
    log4j = os.path.join(cluster.tools.libs, "*")
    for log in sorted(glob.glob(os.path.join(cluster.server.data, "version-2", "log.*"))):
        dump(class_path(), ["org.apache.zookeeper.server.persistence.TxnLogToolkit", "-d"], log,
             os.path.join(folder, "zookeeper-toolkit-3.8.log"))
        old = "3.4" if cluster.version == "0.8.2.2" else "3.5"
        dump(log4j, ["org.apache.zookeeper.server.LogFormatter"], log,
             os.path.join(folder, f"zookeeper-formatter-{old}.log"))
        with open(log, "rb") as f, open(os.path.join(folder, os.path.basename(log)), "wb") as out:
            out.write(f.read().rstrip(b"\0") + bytes(16))  # without the room that the server takes ahead


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("version", choices=("2.8.2", "0.8.2.2"))
    parser.add_argument("folder")
    parser.add_argument("--trace", action="store_true")
    options = parser.parse_args()
    os.makedirs(options.folder, exist_ok=True)
    os.environ["TZ"] = "UTC"
    with Stage() as stage:
        cluster = Cluster(stage, options.version, options.trace)
        try:
            story(cluster)
            time.sleep(1)  # the last answers
        except Failure as why:
            print(f"failed: {why}")
        collect(cluster, options.folder)


if __name__ == "__main__":
    main()
