"""What records look like in the logs of three Apache Kafka brokers after G4 to G11 and G16.

    tests/golden/replication/NAME/scenario.yaml   a cluster, producers, consumers, faults by the clock
                             NAME/recorded.json   what was left after each of them

The scenarios are the simulator's own; `play_replication --plan` (tests/golden) turns one into JSON. Here its
producers and faults are played against real brokers that govern themselves (broker 1 is the controller),
in the scenario's order. Times are not played, but order and, within five seconds, distance: what lies
further apart waits until the cluster has settled. Then is looked at (`look`):

    the state znode · each replica's batches, epochs and checkpointed high watermark, from its files ·
    the watermark that clients are told

and at the end what a consumer reads. The same moments are looked at in the simulated world. Without
`--record` the answers are compared with those in the repository; and ours, always, with what was seen.
"""

import json
import os
import shutil
import socket
import struct
import subprocess
import time

from kcsim_harness import checks, kafka, logdir
from kcsim_harness.process import Failure, Skip, Stage, text, until
from kcsim_harness.zookeeper import ZooKeeper

FOLDER = os.path.join(kafka.ROOT, "tests", "golden", "replication")
IDS = (1, 2, 3)
NEAR_MS = 5000  # closer than that: one thing, nobody waits between
STILL_SECONDS = 3.0


def duration_ms(words):
    for unit, factor in (("ms", 1), ("s", 1000), ("m", 60000)):
        if words.endswith(unit):
            return int(float(words[:-len(unit)]) * factor)
    raise Failure(f"no duration: {words}")


class Plan:
    """A scenario as what is to be done: [(ms, kind, row)] in order, and its topics."""

    def __init__(self, name, program):
        path = os.path.join(FOLDER, name, "scenario.yaml")
        said = subprocess.run([program, "--plan", path], capture_output=True, text=True, check=False)
        if said.returncode:
            raise Failure(f"{program} --plan {path}: {said.stderr}")
        self.name, self.yaml = name, json.loads(said.stdout)
        self.topics = {t: {int(p): [int(b) for b in r] for p, r in spec["assignment"].items()}
                       for t, spec in self.yaml["topics"].items()}
        self.properties = self.yaml["cluster"]["properties"]
        rows = [(duration_ms(s["at"]), "step", s) for s in self.yaml["steps"]]
        number = 0
        for c in self.yaml["clients"]:
            if "consume" in c:
                rows.append((duration_ms(c["from"]), "consume", c))
            else:
                number += 1
                rows.append((duration_ms(c["from"]), "produce", dict(c, name=f"p{number}")))
        self.rows = sorted(rows, key=lambda row: row[0])


class Cluster:
    """ZooKeeper and three brokers, anew for each scenario: epochs and broker epochs begin where the
    simulator's do."""

    def __init__(self, stage, plan):
        self.plan, self.stage = plan, stage
        self.server = ZooKeeper(stage)
        self.zk = self.server.client()
        self.tools = kafka.Tools(stage)
        self.two_dirs = any("fail-log-dir" in row for _, kind, row in plan.rows if kind == "step")
        self.brokers, self.dirs = {}, {}
        for n in IDS:
            home = stage.path(f"broker-{n}")
            self.dirs[n] = [os.path.join(home, d) for d in ("data", "more")[:2 if self.two_dirs else 1]]
            settings = {"log.dirs": ",".join(self.dirs[n]),
                        "replica.high.watermark.checkpoint.interval.ms": 500,
                        "replica.lag.time.max.ms": plan.properties.get("replica.lag.time.max.ms", 30000)}
            self.brokers[n] = kafka.Broker(stage, n, self.server.address, settings,
                                           int(plan.properties["zookeeper.session.timeout.ms"]))
        self.servers = ",".join(f"127.0.0.1:{b.port}" for b in self.brokers.values())

    def start(self):
        self.brokers[1].start()
        checks.wait_holder(self.zk, 60, 1)
        for n in (2, 3):
            self.brokers[n].start(wait=False)
        for n in (2, 3):
            self.brokers[n].wait_started()
        for topic, assignment in self.plan.topics.items():
            config = [x for k, v in self.plan.yaml["topics"][topic].get("config", {}).items()
                      for x in ("--config", f"{k}={v}")]
            self.tools.run("kafka-topics.sh", "--bootstrap-server", self.servers, "--create", "--topic", topic,
                           "--replica-assignment",
                           ",".join(":".join(map(str, assignment[p])) for p in sorted(assignment)), *config
                           ).require(f"Created topic {topic}.")
            until(f"every broker knows {topic}", lambda t=topic: self.is_known(t), 60, 0.2)

    def is_known(self, topic):
        """kcat ends where the broker that it asks does not know its topic yet."""
        for broker in self.brokers.values():
            said = self.kcat("-L", "-t", topic, servers=f"127.0.0.1:{broker.port}")
            if said.count(" leader ") != len(self.plan.topics[topic]) or "leader -1" in said:
                return False
        return True

    # ---- what is done ----

    def run_kcat(self, *args, stdin="", seconds=60, servers=None):
        return subprocess.run(["kcat", "-b", servers or self.servers, *args], input=stdin,
                              capture_output=True, text=True, timeout=seconds, check=False)

    def kcat(self, *args, **how):
        done = self.run_kcat(*args, **how)
        if done.returncode:
            raise Failure(f"kcat {' '.join(args)}: {done.stderr[-600:]}")
        return done.stdout

    def produce(self, row):
        """How many records of a row are acknowledged, when the fate of all is known."""
        count = int(row["count"])
        lines = "".join(f"{row['name']}#{n}\n" for n in range(1, count + 1))
        more = {"acks": row.get("acks", "all"), **row.get("properties", {})}
        done = self.run_kcat("-P", "-t", row["produce"], "-p", row["partition"],
                             *[x for k, v in more.items() for x in ("-X", f"{k}={v}")], stdin=lines)
        failed = done.stderr.count("Delivery failed")
        if done.returncode and not failed:
            raise Failure(f"kcat -P of {row}: {done.stderr[-600:]}")
        return count - failed

    def state(self, topic, number):
        got = self.zk.get(f"/brokers/topics/{topic}/partitions/{number}/state")
        if not got:
            return None
        value = json.loads(got[0])
        return {"leader": value["leader"], "epoch": value["leader_epoch"], "isr": value["isr"],
                "version": got[1].version}

    def partitions(self):
        return [(t, p) for t, assignment in self.plan.topics.items() for p in sorted(assignment)]

    def registered(self, n):
        return str(n) in (self.zk.children("/brokers/ids") or [])

    def up(self):
        return [n for n in IDS if self.registered(n)]

    def ask_shutdown(self, n):
        """ControlledShutdown, version 1, to the controller, on behalf of a broker that stays."""
        body = struct.pack(">hhi", 7, 1, 1) + struct.pack(">h", 5) + b"kcsim" + struct.pack(">i", n)
        with socket.create_connection(("127.0.0.1", self.brokers[1].port), 30) as s:
            s.sendall(struct.pack(">i", len(body)) + body)
            size = struct.unpack(">i", s.recv(4, socket.MSG_WAITALL))[0]
            _, error = struct.unpack_from(">ih", s.recv(size, socket.MSG_WAITALL))
        if error:
            raise Failure(f"ControlledShutdown was answered with error {error}")

    def fail_log_dir(self, n, topic, number):
        """As Kafka's LogDirFailureTest: a file stands where the directory was. The checkpoint of high
        watermarks finds out."""
        lost = next(d for d in self.dirs[n] if os.path.isdir(os.path.join(d, f"{topic}-{number}")))
        os.rename(lost, lost + ".lost")
        with open(lost, "w", encoding="ascii"):
            pass

    def repair_log_dirs(self, n):
        """Before its next start, as the simulator's do. A scenario whose directory stays lost starts no
        broker after it."""
        for folder in self.dirs[n]:
            if os.path.isdir(folder + ".lost"):
                os.remove(folder)
                os.rename(folder + ".lost", folder)

    def do(self, step):
        """Does it, and waits for what must come of it before anybody could look."""
        if "kill" in step:
            n = int(step["kill"])
            self.brokers[n].kill()
            return lambda: not self.registered(n) and self.left_isr(n)
        if "restart" in step:
            self.repair_log_dirs(int(step["restart"]))
            self.brokers[int(step["restart"])].start()
            return lambda: self.registered(int(step["restart"])) and self.isr_is_full()
        if "pause" in step:
            self.brokers[int(step["pause"])].process.pause()
            return lambda: True
        if "resume" in step:
            self.brokers[int(step["resume"])].process.resume()
            return lambda: all(self.left_isr(n) for n in IDS if n not in self.up())
        if "shutdown" in step and step.get("request-only") == "true":
            self.ask_shutdown(int(step["shutdown"]))
            return lambda: self.left_isr(int(step["shutdown"]))
        if "shutdown" in step:
            n = int(step["shutdown"])
            if not self.brokers[n].shutdown():
                raise Failure(f"broker {n} did not end")
            return lambda: not self.registered(n) and self.left_isr(n)
        if "elect-leaders" in step:
            path = self.stage.path("elect.json")
            with open(path, "w", encoding="utf-8") as f:
                json.dump({"partitions": [{"topic": t, "partition": int(p)} for t, _, p in
                                          (tp.rpartition("-") for tp in step["elect-leaders"])]}, f)
            self.tools.run("kafka-leader-election.sh", "--bootstrap-server", self.servers, "--election-type",
                           "PREFERRED", "--path-to-json-file", path).require("Successfully completed")
            return lambda: all(self.state(t, p)["leader"] == self.plan.topics[t][p][0]
                               for t, p in self.partitions())
        if "alter-config" in step:
            self.tools.run("kafka-configs.sh", "--bootstrap-server", self.servers, "--alter", "--topic",
                           step["alter-config"], "--add-config",
                           ",".join(f"{k}={v}" for k, v in step["set"].items())).require("Completed")
            return lambda: all(self.state(t, p)["leader"] >= 0 for t, p in self.partitions())
        if "fail-log-dir" in step:
            n, (topic, _, number) = int(step["fail-log-dir"]), step["partitions"][0].rpartition("-")
            self.fail_log_dir(n, topic, number)
            return lambda: n not in self.state(topic, number)["isr"]
        raise Failure(f"no such step: {step}")

    def left_isr(self, n):
        """Out of every ISR, or the last of one that nobody leads."""
        return all(n not in s["isr"] or (s["isr"] == [n] and s["leader"] == -1)
                   for s in (self.state(t, p) for t, p in self.partitions()))

    def isr_is_full(self):
        """Who may lead does, and who lives is in every ISR that has a leader."""
        up = set(self.up())
        for topic, number in self.partitions():
            s, live = self.state(topic, number), up.intersection(self.plan.topics[topic][number])
            unclean = "unclean.leader.election.enable" in self.plan.yaml["topics"][topic].get("config", {})
            if s["leader"] < 0 and (live if unclean else live.intersection(s["isr"])):
                return False
            if s["leader"] >= 0 and not live.issubset(s["isr"]):
                return False
        return True

    # ---- what is looked at ----

    def watermark(self, topic, number, leader):
        if leader < 0:
            return None
        said = self.kcat("-Q", "-t", f"{topic}:{number}:-1")
        return int(said.split()[-1])

    def look(self):
        out = {}
        for topic, number in self.partitions():
            replicas = self.plan.topics[topic][number]
            out[f"{topic}-{number}"] = dict(
                self.state(topic, number),
                replicas={str(n): logdir.partition(self.dirs[n], topic, number) for n in replicas})
        return out

    def settled(self):
        """What was seen when nothing had changed for a while, and every live follower in the ISR has what
        its leader has."""
        before, since = None, time.monotonic()

        def still():
            nonlocal before, since
            seen = self.look()
            if seen != before:
                before, since = seen, time.monotonic()
            for tp, s in seen.items():
                members = [s["replicas"][str(n)] for n in s["isr"] if self.registered(n)]
                ends = {(m["end"], m["hw"]) if m else None for m in members}
                if s["leader"] >= 0 and len(ends) != 1:
                    raise Failure(f"{tp}: ends and high watermarks in the ISR differ: {ends}")
            return time.monotonic() - since >= STILL_SECONDS

        until("the cluster settles", still, 120, 0.3)
        for tp, s in before.items():
            topic, _, number = tp.rpartition("-")
            s["watermark"] = self.watermark(topic, number, s["leader"])
        return before

    def watch(self, row, number):
        """A consumer from now on to the end; latest is librdkafka's own auto.offset.reset."""
        return self.stage.start(f"consumer-{number}", [
            "kcat", "-b", self.servers, "-C", "-q", "-u", "-o", "beginning", "-t", row["consume"], "-X",
            f"auto.offset.reset={row.get('reset', 'earliest')}", "-f", "%p %o %s\n"])

    def read(self, row, process):
        """{T-P: ["offset value"]} as it has read them: all that is there, and then no more for a while."""
        topic = row["consume"]
        ends = {p: self.watermark(topic, p, self.state(topic, p)["leader"]) for t, p in self.partitions()
                if t == topic}
        before, since = None, time.monotonic()

        def still():
            nonlocal before, since
            seen = [line.split(" ", 2) for line in text(process.log).rpartition("\n")[0].splitlines()
                    if line[:1].isdigit()]  # not librdkafka's own log
            if seen != before:
                before, since = seen, time.monotonic()
            for p, end in ends.items():
                if end and f"{end - 1}" not in [line[1] for line in seen if line[0] == str(p)][-1:]:
                    raise Failure(f"{topic}-{p}: not read up to {end}: {seen[-5:]}")
            return time.monotonic() - since >= STILL_SECONDS

        until(f"{process.name} reads {topic} to its end", still, 60, 0.3)
        return {f"{topic}-{p}": [f"{line[1]} {line[2]}" for line in before if line[0] == str(p)] for p in ends}


def title(kind, row):
    if kind == "produce":
        return f"{row['name']} writes {row['count']} to {row['produce']}-{row['partition']}"
    return ", ".join(f"{key} {value}" for key, value in row.items() if key != "at")


def play(plan, report, keep):
    """The answers of Apache Kafka."""
    moments, last, wanted, readers, acked = [], None, [], [], {}
    with Stage(keep) as stage:
        try:
            cluster = Cluster(stage, plan)
            with report.step(f"{plan.name}: three brokers"):
                cluster.start()
            for ms, kind, row in plan.rows:
                if kind == "consume":
                    readers.append((row, cluster.watch(row, len(readers) + 1)))
                    continue
                if last is None or ms - last >= NEAR_MS:
                    for test in wanted:
                        until(f"what comes of the step before {ms} ms", test, 120, 0.2)
                    wanted = []
                    moments.append({"before_ms": ms, "partitions": cluster.settled()})
                elif ms > last:
                    time.sleep((ms - last) / 1000)  # the scenario's own distance: part of the situation
                last = ms
                with report.step(f"{plan.name}: {title(kind, row)}"):
                    if kind == "produce":
                        acked[row["name"]] = cluster.produce(row)
                    else:
                        wanted.append(cluster.do(row))
            for test in wanted:
                until("what comes of the last step", test, 120, 0.2)
            moments.append({"before_ms": duration_ms(plan.yaml["until"]), "partitions": cluster.settled()})
            read = [cluster.read(row, process) for row, process in readers]
        except Failure:
            report.tails = stage.tails()
            raise
    return {"kafka": kafka.VERSION, "moments": moments, "acked": acked, "read": read}


def canonical(value):
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def run(options, report):
    if not shutil.which("kcat"):
        raise Skip("no kcat (Debian: kcat)")
    kafka.libs()
    program = options.play or os.path.join(os.path.dirname(options.kcsim), "..", "tests", "golden",
                                           "play_replication")
    if not os.path.exists(program):
        raise Skip(f"no {program}: build the target play_replication")
    names = [n for n in sorted(os.listdir(FOLDER)) if os.path.isdir(os.path.join(FOLDER, n))]
    if options.only:
        names = [n for n in names if any(part in n for part in options.only.split(","))]
    elif not options.deep and not options.record:
        names = [n for n in names if n.startswith(("g06", "g09-a-follower-asks"))]
    for name in names:
        seen = play(Plan(name, program), report, options.keep)
        path = os.path.join(FOLDER, name, "recorded.json")
        if options.record:
            with open(path, "w", encoding="utf-8") as f:
                f.write(canonical(seen))
        with report.step(f"{name}: as recorded, and as kcsim plays it", soft=True):
            if canonical(seen) != text(path):
                raise Failure(f"{name} is not as recorded: {canonical(seen)}")
            said = subprocess.run([program, os.path.join(FOLDER, name)], capture_output=True, text=True,
                                  check=False)
            if said.returncode:
                raise Failure(f"kcsim differs: {said.stdout[-3000:]}{said.stderr[-500:]}")
    report.verdict()
