"""Our controller over three Apache Kafka brokers, under load, with Kafka's own tools.

    brokers 1, 2, 3   hold all data, and never the controller's role
    controller 0      was there first, and holds it throughout: asserted after every step

Producers and consumers of three kinds (librdkafka, Java, kcat) run from the first step to the last, on
topics with acks=all and min.insync.replicas=2. In the end everything is read back: no acknowledged record
is lost, none repeated, and per partition they are in order. The one topic that is made to lose records,
by an unclean election, is not counted; its loss is shown.
"""

import json
import os
import random
import subprocess
import time

from kcsim_harness import checks, clients, controllers, kafka
from kcsim_harness.process import Failure, Stage, text, until
from kcsim_harness.zookeeper import ZooKeeper

IDS = (1, 2, 3)
INTERNAL = ("__consumer_offsets", "__transaction_state")


class Cluster:
    """ZooKeeper, the controller, three brokers, Kafka's tools."""

    def __init__(self, options, stage):
        self.options, self.stage = options, stage
        self.server = ZooKeeper(stage)
        self.zk = self.server.client()
        self.tools = kafka.Tools(stage)
        self.controller = controllers.make(options.controller, stage, 0, self.server.address,
                                           options.kcsim, name="controller")
        self.brokers = {n: kafka.Broker(stage, n, self.server.address) for n in IDS}
        self.servers = ",".join(f"127.0.0.1:{b.port}" for b in self.brokers.values())
        self.by_zk = ("--zookeeper", self.server.address)
        self.by_broker = ("--bootstrap-server", self.servers)

    def start(self):
        self.controller.start()
        rule = checks.Rule(self.zk, 0)
        for broker in self.brokers.values():
            broker.start(wait=False)
        for broker in self.brokers.values():
            broker.wait_started()
        return rule

    # ---- tools ----

    def topics(self, *args, by=None):
        return self.tools.run("kafka-topics.sh", *(by or self.by_broker), *args)

    def create(self, name, replicas, by=None, **config):
        """replicas: one list for each partition."""
        more = [x for k, v in config.items() for x in ("--config", f"{k.replace('_', '.')}={v}")]
        self.topics("--create", "--topic", name, "--replica-assignment",
                    ",".join(":".join(map(str, r)) for r in replicas), *more, by=by
                    ).require(f"Created topic {name}.")

    def json_file(self, name, value):
        path = self.stage.path(name)
        with open(path, "w", encoding="utf-8") as f:
            json.dump(value, f)
        return path

    # ---- waiting ----

    def states(self, *topics):
        return {tp: s for tp, (s, _) in checks.states(self.zk, list(topics) or None).items()}

    def wait_led(self, count, *topics):
        """All partitions of the topics have a live leader; count of them."""

        def led():
            states = self.states(*topics)
            bad = {tp: s for tp, s in states.items() if s["leader"] < 0}
            if bad or len(states) != count:
                raise Failure(f"{len(states)} of {count} partitions, without a leader: {bad}")
            return True

        until(f"{topics} led", led, 60, 0.1)

    def wait_whole(self, seconds=120):
        """Every ISR is as large as its partition's assignment."""

        def whole():
            names = self.zk.children("/brokers/topics")
            for name in names:
                got = self.zk.get(f"/brokers/topics/{name}")
                if not got:
                    continue
                wanted = json.loads(got[0])["partitions"]
                for (_, p), state in self.states(name).items():
                    if set(state["isr"]) != set(wanted[str(p)]) or state["leader"] < 0:
                        raise Failure(f"{name}-{p}: {state}, replicas {wanted[str(p)]}")
            return True

        until("all ISRs whole", whole, seconds, 0.2)

    def led_by(self, broker):
        return [tp for tp, s in self.states().items() if s["leader"] == broker]


class Load:
    """Clients at work, and the topics that count."""

    def __init__(self, cluster, report):
        self.cluster = cluster
        self.programs = clients.build(cluster.stage, report)
        self.topics = {"librdkafka": "c-records", "kcat": "kcat-records"}
        if "Java" in self.programs:
            self.topics["Java"] = "java-records"
        self.producers, self.consumers = {}, {}

    def start(self):
        stage, servers = self.cluster.stage, self.cluster.servers
        for kind, argv in self.programs.items():
            topic = self.topics[kind]
            self.producers[kind] = clients.producer(stage, f"{kind}-producer", argv, servers, topic, 6, 100)
            self.consumers[kind] = clients.consumer(stage, f"{kind}-consumer", argv, servers, topic,
                                                    f"group-{kind}")
        self.producers["kcat"] = clients.KcatProducer(stage, "kcat-producer", servers, "kcat-records", 100)
        self.consumers["kcat"] = clients.kcat_consumer(stage, "kcat-consumer", servers, "kcat-records",
                                                       "group-kcat")

    def wait_flow(self, seconds=90, records=150):
        """Every producer gets, and every consumer reads, some more; how long that took."""
        began = time.monotonic()
        everyone = list(self.producers.values()) + list(self.consumers.values())
        before = {c.name: c.count() for c in everyone}

        def flows():
            for c in everyone:
                c.check_alive()
                if c.count() < before[c.name] + records:
                    raise Failure(f"{c.name}: {c.count() - before[c.name]} records")
            return True

        until("every client gets on", flows, seconds, 0.2)
        return time.monotonic() - began

    def finish(self, report):
        """Stops all, reads all back, judges."""
        for producer in self.producers.values():
            producer.stop()
        rows = []
        for kind, topic in self.topics.items():
            acknowledged = self.producers[kind].acknowledged()
            clients.wait_read(self.consumers[kind], acknowledged, 90)
            again = len(self.consumers[kind].numbers()) - len(set(self.consumers[kind].numbers()))
            self.consumers[kind].process.stop()
            verdict = clients.judge(acknowledged, clients.read_back(self.cluster.servers, topic))
            rows.append([f"{kind}, `{topic}`", verdict.acknowledged, verdict.found, len(verdict.lost),
                         len(verdict.repeated), verdict.disordered, again])
            clients.require(topic, verdict)
        report.table("Records", ["producer, topic", "acknowledged", "found", "lost", "repeated",
                                 "out of order", "read twice by its group"], rows)


# ---- steps ----

def create_topics(cluster, load, report):
    with report.step("internal topics and one of records by kafka-topics.sh --zookeeper"):
        ring = [[1, 2, 3], [2, 3, 1], [3, 1, 2]]
        for name in INTERNAL:
            cluster.create(name, ring, cluster.by_zk, cleanup_policy="compact")
        cluster.create("c-records", ring * 2, cluster.by_zk, min_insync_replicas=2)
        cluster.wait_led(12, *INTERNAL, "c-records")
    with report.step("topics by kafka-topics.sh --bootstrap-server") as step:
        cluster.create("kcat-records", ring, min_insync_replicas=2)
        if cluster.options.controller == "kcsim":
            cluster.topics("--create", "--topic", "java-records", "--partitions", 6,
                           "--replication-factor", 3, "--config", "min.insync.replicas=2"
                           ).require("Created topic java-records.")
        else:                                # their controller is a broker, and would place data on itself
            cluster.create("java-records", ring * 2, min_insync_replicas=2)
        cluster.wait_led(9, "kcat-records", "java-records")
        for name in ("kcat-records", "java-records"):
            used = {b for s in cluster.states(name).values() for b in s["isr"]}
            if not used <= set(IDS):
                raise Failure(f"{name} lies on {used}")
        step.note(describe(cluster, "java-records", 6))
        cluster.topics("--list").require("c-records", "kcat-records", "java-records")


def describe(cluster, name, partitions):
    """kafka-topics.sh --describe says what the znodes say."""
    out = cluster.topics("--describe", "--topic", name).require(f"PartitionCount: {partitions}").out
    for (_, p), s in cluster.states(name).items():
        line = next((x for x in out.splitlines() if f"Partition: {p}\t" in x), "")
        if f"Leader: {s['leader']}" not in line or f"Isr: {','.join(map(str, s['isr']))}" not in line:
            raise Failure(f"{name}-{p}: znode {s}, described as {line!r}")
    return f"{name} described as its znodes are"


def leader_killed(cluster, load, report, rng):
    victim = rng.choice([s["leader"] for s in cluster.states("c-records").values()])
    with report.step(f"broker {victim}, a leader, killed with SIGKILL") as step:
        led = len(cluster.led_by(victim))
        began = time.monotonic()
        cluster.brokers[victim].kill()
        until("its partitions have other leaders", lambda: not cluster.led_by(victim), 60, 0.05)
        step.note(f"{led} partitions have other leaders {time.monotonic() - began:.1f} s after (session 6 s)")
        load.wait_flow()
        step.note(f"every client gets on {time.monotonic() - began:.1f} s after")
    return victim


def broker_returns(cluster, load, report, number):
    with report.step(f"broker {number} returns") as step:
        began = time.monotonic()
        cluster.brokers[number].start()
        cluster.wait_whole()
        step.note(f"all ISRs whole {time.monotonic() - began:.1f} s after its start")
        load.wait_flow()


def preferred_election(cluster, report):
    with report.step("kafka-leader-election.sh, preferred") as step:
        result = cluster.tools.run("kafka-leader-election.sh", *cluster.by_broker, "--election-type",
                                   "preferred", "--all-topic-partitions")
        result.require()
        if "Error completing" in result.out:
            raise Failure(result.out)
        until("every partition led by its first replica", lambda: all_preferred(cluster), 60, 0.2)
        step.note(result.out.strip().splitlines()[0][:90] + " …")


def all_preferred(cluster):
    for name in cluster.zk.children("/brokers/topics"):
        wanted = json.loads(cluster.zk.get(f"/brokers/topics/{name}")[0])["partitions"]
        for (_, p), state in cluster.states(name).items():
            if state["leader"] != wanted[str(p)][0]:
                raise Failure(f"{name}-{p} is led by {state['leader']}, replicas {wanted[str(p)]}")
    return True


def controlled_shutdown(cluster, load, report, number, returns=True):
    with report.step(f"controlled shutdown of broker {number}") as step:
        broker = cluster.brokers[number]
        led, began = len(cluster.led_by(number)), time.monotonic()
        if not broker.shutdown():
            raise Failure("SIGTERM did not end it within 60 s")
        log = text(broker.file("server.log"))
        if log.count("Controlled shutdown succeeded") != log.count("Starting controlled shutdown"):
            raise Failure("the broker's log does not say that its controlled shutdown succeeded")
        until("its partitions have other leaders", lambda: not cluster.led_by(number), 10)
        step.note(f"{led} partitions handed over, ended after {time.monotonic() - began:.1f} s")
        load.wait_flow()
    if returns:
        broker_returns(cluster, load, report, number)


def expansion(cluster, report):
    with report.step("partitions added by kafka-topics.sh --alter"):
        ring = [[1, 2, 3], [2, 3, 1]]
        cluster.create("grown", ring)
        cluster.topics("--alter", "--topic", "grown", "--partitions", 4, "--replica-assignment",
                       "1:2:3,2:3:1,3:1:2,1:3:2").require()
        cluster.wait_led(4, "grown")
        cluster.topics("--alter", "--topic", "grown", "--partitions", 5, "--replica-assignment",
                       "1:2:3,2:3:1,3:1:2,1:3:2,3:2:1", by=cluster.by_zk
                       ).require("Adding partitions succeeded!")
        cluster.wait_led(5, "grown")
        describe(cluster, "grown", 5)
        for p in range(5):
            kcat_write(cluster, "grown", [f"record {p}"], p)
        if len(clients.read_back(cluster.servers, "grown")) != 5:
            raise Failure("what was written to the new partitions is not there")


def kcat_write(cluster, topic, lines, partition=0, seconds=30, acks="all"):
    done = subprocess.run(["kcat", "-P", "-b", cluster.servers, "-t", topic, "-p", str(partition),
                           "-X", f"acks={acks}"], input="\n".join(lines).encode(),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds, check=False)
    if done.returncode or b"Delivery failed" in done.stdout:
        raise Failure(f"kcat could not write to {topic}-{partition}: {done.stdout.decode()[-300:]}")


def configs(cluster, report):
    with report.step("kafka-configs.sh alters and describes") as step:
        about = ("--entity-type", "topics", "--entity-name", "grown")
        cluster.tools.run("kafka-configs.sh", *cluster.by_broker, *about, "--alter", "--add-config",
                          "retention.ms=86400000").require("Completed updating config for topic grown.")
        cluster.tools.run("kafka-configs.sh", *cluster.by_broker, *about, "--describe"
                          ).require("retention.ms=86400000")
        if cluster.options.deep:
            cluster.tools.run("kafka-configs.sh", *cluster.by_broker, "--entity-type", "brokers",
                              "--entity-name", "1", "--alter", "--add-config", "num.io.threads=4"
                              ).require("Completed updating config for broker 1.")
            cluster.tools.run("kafka-configs.sh", *cluster.by_broker, "--entity-type", "brokers",
                              "--entity-name", "1", "--describe").require("num.io.threads=4")
            cluster.tools.run("kafka-configs.sh", *cluster.by_broker, *about, "--alter",
                              "--delete-config", "retention.ms").require("Completed updating config")
        step.note("retention.ms of a topic set and read back")


def reassignment(cluster, report):
    """A topic of 6 MB moves from [1, 2] to other brokers: executed, verified; cancelled under a throttle."""
    with report.step("kafka-reassign-partitions.sh executes and verifies") as step:
        cluster.create("moved", [[1, 2], [2, 1]])
        cluster.wait_led(2, "moved")
        rng = random.Random(7)
        lines = [f"{n} {rng.getrandbits(8000):x}" for n in range(1500)]
        for p in (0, 1):
            kcat_write(cluster, "moved", lines, p)
        moves = {("moved", 0): [2, 3], ("moved", 1): [3, 1]}
        file = reassignment_file(cluster, moves)
        began = time.monotonic()
        reassign(cluster, "--reassignment-json-file", file, "--execute").require(
            "Successfully started partition reassignments for moved-0,moved-1")
        verified(cluster, file, moves)
        step.note(f"two partitions of 3 MB moved and verified in {time.monotonic() - began:.1f} s")
        require_moved(cluster, moves, lines)
        reassign(cluster, "--list").require("No partition reassignments found.")
    if not cluster.options.deep:
        return
    with report.step("kafka-reassign-partitions.sh cancels") as step:
        away = {("moved", 0): [1, 2]}
        file = reassignment_file(cluster, away)
        reassign(cluster, "--reassignment-json-file", file, "--throttle", 1, "--execute").require(
            "Successfully started partition reassignment for moved-0")
        reassign(cluster, "--list").require("moved-0: replicas: 1,2,3. adding: 1. removing: 3.")
        reassign(cluster, "--reassignment-json-file", file, "--cancel").require(
            "Successfully cancelled partition reassignment for: moved-0")
        reassign(cluster, "--list").require("No partition reassignments found.")
        require_moved(cluster, moves, lines)
        step.note("replicas as before the cancelled one, no record lost")
    with report.step("kafka-reassign-partitions.sh --zookeeper executes and verifies"):
        back = {("moved", 0): [1, 2], ("moved", 1): [2, 1]}
        file = reassignment_file(cluster, back)
        reassign(cluster, "--reassignment-json-file", file, "--execute", by=cluster.by_zk).require(
            "Successfully started partition reassignments for moved-0,moved-1")
        verified(cluster, file, back, by=cluster.by_zk)
        require_moved(cluster, back, lines)


def reassign(cluster, *args, by=None):
    return cluster.tools.run("kafka-reassign-partitions.sh", *(by or cluster.by_broker), *args)


def reassignment_file(cluster, moves):
    return cluster.json_file(f"moves-{time.monotonic_ns()}.json", {
        "version": 1,
        "partitions": [{"topic": t, "partition": p, "replicas": r} for (t, p), r in moves.items()]})


def verified(cluster, file, moves, by=None):
    """--verify until it says that each is complete."""

    def complete():
        out = reassign(cluster, "--reassignment-json-file", file, "--verify", by=by).require().out
        for topic, p in moves:
            if f"Reassignment of partition {topic}-{p} is complete." not in out:
                raise Failure(out)
        return True

    until("reassignment verified", complete, 90, 1)


def require_moved(cluster, moves, lines):
    for (topic, p), replicas in moves.items():
        wanted = json.loads(cluster.zk.get(f"/brokers/topics/{topic}")[0])
        if wanted["partitions"][str(p)] != replicas or wanted.get("adding_replicas"):
            raise Failure(f"{topic}: {wanted}")
    rows = clients.read_back(cluster.servers, "moved")
    for p in (0, 1):
        if [value for q, _, value in rows if q == p] != lines:
            raise Failure(f"moved-{p}: what was written is not what is there")


def deletion(cluster, load, report, down):
    """A topic is deleted while one of its brokers is down; call `deletion_ends` after its return."""
    with report.step(f"kafka-topics.sh --delete while broker {down} is down") as step:
        cluster.topics("--delete", "--topic", "doomed").require()
        until("the deletion is asked for", lambda: cluster.zk.exists("/admin/delete_topics/doomed"), 30)
        time.sleep(3)
        if not cluster.zk.exists("/brokers/topics/doomed"):
            raise Failure("the topic is gone although a replica could not be deleted")
        step.note("it waits for the dead broker")


def deletion_ends(cluster, report):
    with report.step("the deletion ends with the broker's return") as step:
        until("the topic is gone", lambda: not cluster.zk.exists("/brokers/topics/doomed")
              and not cluster.zk.exists("/admin/delete_topics/doomed"), 60)

        def no_files():
            # A log is renamed to NAME.UUID-delete at once, and removed by a task that first runs half a
            # minute after a broker's start.
            left = [d for b in cluster.brokers.values() for d in os.listdir(b.file("data"))
                    if d.startswith("doomed-")
                    and (cluster.options.deep or not d.endswith("-delete"))]
            if left:
                raise Failure(f"on disk: {left}")
            return True

        until("its files are gone from all brokers", no_files, 60, 0.2)
        if "doomed" in cluster.topics("--list").require().out:
            raise Failure("it is still listed")
        cluster.create("doomed", [[3, 2, 1]])
        cluster.wait_led(1, "doomed")
        kcat_write(cluster, "doomed", ["again"])
        if [v for _, _, v in clients.read_back(cluster.servers, "doomed")] != ["again"]:
            raise Failure("a topic made again under its name has old records")
        cluster.topics("--delete", "--topic", "doomed", by=cluster.by_zk
                       ).require("Topic doomed is marked for deletion.")
        until("deleted again", lambda: not cluster.zk.exists("/brokers/topics/doomed"), 60)
        step.note("files gone from all brokers; made again, used, deleted again")


def unclean(cluster, report):
    """Broker 2 misses records that only broker 1 has; 1 dies; 2 is elected although it is not in sync."""
    with report.step("unclean election by kafka-leader-election.sh, on a topic of its own") as step:
        cluster.create("unclean", [[1, 2]])
        cluster.wait_led(1, "unclean")
        kcat_write(cluster, "unclean", [f"both {n}" for n in range(100)])
        cluster.brokers[2].kill()
        until("ISR [1]", lambda: cluster.states("unclean")[("unclean", 0)]["isr"] == [1], 60)
        kcat_write(cluster, "unclean", [f"one {n}" for n in range(50)])
        cluster.brokers[1].kill()
        until("no leader", lambda: cluster.states("unclean")[("unclean", 0)]["leader"] == -1, 60)
        cluster.brokers[2].start()
        time.sleep(3)
        state = cluster.states("unclean")[("unclean", 0)]
        if state["leader"] != -1 or state["isr"] != [1]:
            raise Failure(f"a replica out of sync leads without being asked to: {state}")
        before = cluster.controller.mark()
        cluster.tools.run("kafka-leader-election.sh", "--bootstrap-server",
                          f"127.0.0.1:{cluster.brokers[2].port}", "--election-type", "unclean",
                          "--topic", "unclean", "--partition", 0).require(
            "Successfully completed leader election (UNCLEAN) for partitions unclean-0")
        until("2 leads", lambda: cluster.states("unclean")[("unclean", 0)]["leader"] == 2, 30)
        said = [x for x in cluster.controller.since(before)
                if "unclean-0" in x and "leader=2" in x.lower().replace(":", "=")]
        if not said:
            raise Failure("the controller's log does not tell that broker 2 was elected")
        step.note(f"controller: `{said[0][:240]}`".replace("|", "\\|"))
        cluster.brokers[1].start()
        cluster.wait_whole()
        kcat_write(cluster, "unclean", ["after"])
        found = [v for _, _, v in clients.read_back(cluster.servers, "unclean")]
        kept = sum(v.startswith("both") for v in found)
        lost = 50 - sum(v.startswith("one") for v in found)
        if kept != 100 or lost != 50 or found[-1] != "after":
            raise Failure(f"{kept} of 100 kept, {lost} of 50 lost, last {found[-1]}")
        step.note("of 150 acknowledged records the 50 that only broker 1 had are lost, as asked for")


def metadata_agrees(cluster, report):
    """Every broker, and our controller, tells clients what the znodes say."""
    with report.step("Metadata of every node is what the znodes say") as step:
        ports = {n: b.port for n, b in cluster.brokers.items()}
        ports[0] = cluster.controller.port
        for number, port in ports.items():
            until(f"node {number} tells clients what the znodes say",
                  lambda n=number, p=port: tells_the_truth(cluster, n, p), 30, 0.5)
        step.note(f"nodes {sorted(ports)}, {len(cluster.states())} partitions: leader and ISR")


def tells_the_truth(cluster, number, port):
    done = subprocess.run(["kcat", "-L", "-J", "-b", f"127.0.0.1:{port}"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=30, check=False)
    if done.returncode:
        raise Failure(done.stderr.decode()[-300:])
    said = json.loads(done.stdout)
    if said["originating_broker"]["id"] not in (number, -1):
        raise Failure(f"asked node {number}, answered by {said['originating_broker']}")
    told = {(t["topic"], p["partition"]): (p["leader"], [i["id"] for i in p["isrs"]])
            for t in said["topics"] for p in t["partitions"]}
    true = {tp: (s["leader"], s["isr"]) for tp, s in cluster.states().items()}
    if told != true:
        raise Failure(str({tp: (told.get(tp), true.get(tp)) for tp in told.keys() | true.keys()
                           if told.get(tp) != true.get(tp)}))
    if number == 0 or said.get("controllerid") in (None, 0):
        return True
    raise Failure(f"it names {said['controllerid']} as the controller")


def groups(cluster, load, report):
    with report.step("kafka-consumer-groups.sh and the Java console consumer") as step:
        result = cluster.tools.run("kafka-consumer-groups.sh", *cluster.by_broker, "--describe",
                                   "--group", "group-librdkafka", "--timeout", 30000).require("c-records")
        step.note(f"{result.out.count('c-records')} partitions of group-librdkafka described")
        out = cluster.tools.run("kafka-console-consumer.sh", *cluster.by_broker, "--topic", "c-records",
                                "--from-beginning", "--max-messages", 500).require(
            "Processed a total of 500 messages").out
        step.note(f"the console consumer read {sum(x.isdigit() for x in out.split())} records or so")


def loop(cluster, load, report, rng):
    """One time round everything."""
    cluster.create("doomed", [[1, 2, 3], [2, 3, 1]])
    victim = leader_killed(cluster, load, report, rng)
    deletion(cluster, load, report, victim)
    broker_returns(cluster, load, report, victim)
    deletion_ends(cluster, report)
    preferred_election(cluster, report)
    if cluster.options.deep:
        for number in IDS:                               # a rolling restart
            controlled_shutdown(cluster, load, report, number)
        preferred_election(cluster, report)
    else:
        controlled_shutdown(cluster, load, report, rng.choice(IDS))


def once(cluster, load, report):
    expansion(cluster, report)
    configs(cluster, report)
    reassignment(cluster, report)
    groups(cluster, load, report)


def run(options, report):
    kafka.libs()
    with Stage(options.keep) as stage:
        try:
            play(options, report, stage)
        except BaseException:
            report.tails = stage.tails()
            raise


def play(options, report, stage):
    rng = random.Random(options.seed)
    cluster = Cluster(options, stage)
    load = Load(cluster, report)
    report.fact("versions", f"Apache Kafka {kafka.VERSION} (inter.broker.protocol.version 2.6), "
                            f"ZooKeeper {cluster.server.version()}")
    report.fact("controller", "kcsim controller" if options.controller == "kcsim" else "Apache Kafka's")
    with report.step("ZooKeeper, the controller, three brokers"):
        rule = cluster.start()
    report.always(rule)
    create_topics(cluster, load, report)
    with report.step("producers and consumers begin") as step:
        load.start()
        step.note(f"every client gets on after {load.wait_flow():.1f} s")
    if options.deep:
        for _ in range(3):
            loop(cluster, load, report, rng)
    else:
        loop(cluster, load, report, rng)
    once(cluster, load, report)
    unclean(cluster, report)
    cluster.wait_whole()
    metadata_agrees(cluster, report)
    with report.step("the end: everything is read back"):
        load.finish(report)
    report.fact("role", f"/controller was the same znode of controller 0, epoch {rule.epoch}, from the "
                        "first step to the last")
    report.fact("tools", f"{cluster.tools.runs} runs of Kafka's command line tools, all as expected")
