"""Ours and theirs stand by for each other, and are ended in turn.

First over fake brokers, where a trial can be repeated and its znodes compared:

    A governs, B stands by  ->  a deletion begins     ->  A is ended  ->  B ends it
    A' stands by            ->  a reassignment begins ->  B is ended  ->  A' ends it

Each is ended at a random moment, by SIGKILL (its session expires) or SIGTERM (it closes it); A is ours or
theirs in turn. After each half the znodes are those of an unkilled run of ours.

Then over three Kafka brokers under load: ours is killed in the middle of deletions and one of the brokers
takes over; that broker is killed in the middle of a reassignment, until ours governs again. Once ours is
frozen beyond its session and woken. In the end no acknowledged record is lost or repeated, and every topic
takes records.
"""

import json
import random
import time

from kcsim_harness import checks, controllers, kafka
from kcsim_harness.light import LightCluster, dumps, random_moves
from kcsim_harness.process import Failure, Stage, text, until
from rounds.brokers import IDS, Cluster, Load, clients, create_topics, kcat_write


class Pair:
    """The light world and its two controllers."""

    def __init__(self, options, stage):
        self.options, self.stage = options, stage
        self.world = LightCluster(stage)
        self.rng = random.Random(options.seed)
        self.topics = [f"t{i}" for i in range(10)]
        self.partitions = 50 if options.deep else 20
        self.moves = random_moves(self.rng, self.topics[5:], self.partitions, self.world.ids)
        self.starts = 0

    def start(self, kind, number, stands_by=False):
        self.starts += 1
        controller = controllers.make(kind, self.stage, number, self.world.server.address,
                                      self.options.kcsim, session_ms=2000, name=f"controller-{self.starts}")
        path = f"/brokers/ids/{number}"
        until("its id is free", lambda: not self.world.zk.exists(path), 30)
        controller.start()
        if stands_by:
            until("it stands by", lambda: self.world.zk.exists(path), 60)
            time.sleep(2)
        else:
            checks.wait_holder(self.world.zk, 60, number)
            self.world.wait_settled(None, 60, controller)
        return controller

    def begin(self, kind):
        if kind == "deletion":
            self.world.delete_topics(self.topics[:5])
        else:
            self.world.reassign(self.moves)
        return time.monotonic()

    def reference(self):
        """{kind: (znodes at its end, seconds that it took)} of an unkilled run."""
        self.world.reset(self.topics, self.partitions)
        controller = self.start(self.options.controller, 0)
        out = {}
        for kind in ("deletion", "reassignment"):
            began = self.begin(kind)
            took = max(0.02, self.world.wait_quiet(120) - began)
            self.world.wait_settled(None, 60, controller)
            out[kind] = (checks.znodes(self.world.zk, False), took)
        if out["reassignment"][0]["/admin/reassign_partitions"] is not None:
            raise Failure("the unkilled reassignment did not end")
        controller.process.kill()
        return out

    def half(self, step, kind, active, other, wanted, took):
        """The active one is ended in the middle of the work; the other ends the work."""
        began = self.begin(kind)
        time.sleep(max(0, began + self.rng.uniform(0, took) - time.monotonic()))
        struck = time.monotonic() - began
        hard = self.rng.random() < 0.7
        if hard:
            active.process.kill()
        else:
            active.process.stop(20)
        left = len(checks.differences(wanted, checks.znodes(self.world.zk, False), 10**9))
        checks.wait_holder(self.world.zk, 60, other.id)
        took_over = time.monotonic() - began - struck
        self.world.wait_settled(wanted, 60, other, order=False)
        step.note(f"{active.kind} {'killed' if hard else 'ended'} {struck * 1000:.0f} ms into the {kind}, "
                  f"{left} znodes to change; {other.kind} governs {took_over:.1f} s after and ends it")

    def trial(self, step, reference, first, second):
        """first, second: kinds."""
        self.world.reset(self.topics, self.partitions)
        a = self.start(first, 0)
        b = self.start(second, 100, stands_by=True)
        self.half(step, "deletion", a, b, *reference["deletion"])
        a = self.start(first, 0, stands_by=True)
        self.half(step, "reassignment", b, a, *reference["reassignment"])
        a.process.kill()


def over_fakes(options, report, stage):
    pair = Pair(options, stage)
    ours = options.controller
    report.fact("fake brokers", f"{len(pair.topics)} topics of {pair.partitions} partitions, RF 3")
    with report.step("a deletion and a reassignment, unkilled") as step:
        reference = pair.reference()
        step.note(", ".join(f"{k} {took:.2f} s" for k, (_, took) in reference.items()))
    for i in range(options.moments or (6 if options.deep else 2)):
        first, second = ((ours, "kafka"), ("kafka", ours))[i % 2]
        with report.step(f"{first} governs, {second} stands by; then the other way round") as step:
            pair.trial(step, reference, first, second)
    pair.world.fleet.close()
    pair.world.server.process.kill()


class Real:
    """Three Kafka brokers and ours, all of them contenders."""

    def __init__(self, options, report, stage):
        self.cluster = Cluster(options, stage)
        self.zk = self.cluster.zk
        self.report = report
        self.load = Load(self.cluster, report)
        self.rng = random.Random(options.seed)
        self.takeovers = []

    def start(self):
        with self.report.step("three Kafka brokers, ours governs"):
            self.cluster.start()
        create_topics(self.cluster, self.load, self.report)
        with self.report.step("producers and consumers begin"):
            self.load.start()
            self.load.wait_flow()

    def make(self, name, replicas):
        """A topic, put into ZooKeeper as kafka-topics.sh --zookeeper does."""
        self.zk.create(f"/config/topics/{name}", dumps({"version": 1, "config": {}}))
        self.zk.create(f"/brokers/topics/{name}", dumps({
            "version": 2, "partitions": {str(p): r for p, r in enumerate(replicas)},
            "adding_replicas": {}, "removing_replicas": {}}))

    def holder(self):
        h = checks.holder(self.zk)
        return h[0] if h else None

    def killed_in_deletion(self, round_number):
        """Ours, in the middle of a deletion."""
        names = [f"d{round_number}-{i}" for i in range(4)]
        with self.report.step("ours killed in the middle of a deletion") as step:
            for name in names:
                self.make(name, [[1, 2, 3], [2, 3, 1], [3, 1, 2]] * 2)
            self.cluster.wait_led(24, *names)
            for name in names:
                self.zk.create(f"/admin/delete_topics/{name}")
            time.sleep(self.rng.uniform(0, 0.4))
            began = time.monotonic()
            self.cluster.controller.process.kill()
            until("a broker governs", lambda: self.holder() in IDS, 60)
            step.note(f"broker {self.holder()} governs {time.monotonic() - began:.1f} s after")
            until("the topics are gone", lambda: not any(self.zk.exists(f"/brokers/topics/{n}")
                                                         for n in names), 60)
            until("no deletion is left", lambda: not self.zk.children("/admin/delete_topics"), 30)
            until("ours is forgotten", lambda: not self.zk.exists("/brokers/ids/0"), 30)
            self.cluster.controller.start()
            until("ours stands by", lambda: self.zk.exists("/brokers/ids/0"), 60)
            self.load.wait_flow()

    def killed_in_reassignment(self, round_number):
        """Whichever broker governs, in the middle of a reassignment; until ours governs."""
        name = f"m{round_number}"
        with self.report.step("their active controller killed in the middle of a reassignment") as step:
            self.make(name, [[1, 2], [2, 3], [3, 1]] * 4)
            self.cluster.wait_led(12, name)
            target = {str(p): [[2, 3], [3, 1], [1, 2]][p % 3] for p in range(12)}
            self.zk.create("/admin/reassign_partitions", dumps({"version": 1, "partitions": [
                {"topic": name, "partition": int(p), "replicas": r} for p, r in target.items()]}))
            time.sleep(self.rng.uniform(0, 0.3))
            victim = self.holder()
            if victim not in IDS:
                raise Failure(f"{victim} governs, not one of theirs")
            self.cluster.brokers[victim].kill()
            until("another governs", lambda: self.holder() not in (None, victim), 60)
            step.note(f"broker {victim} killed, {self.holder()} governs")
            self.cluster.brokers[victim].start()
            moved = self.hand_to_ours()
            step.note(f"ours governs after {moved} more moves of /controller")
            until("the reassignment ends", lambda: self.moved(name, target), 90, 0.2)
            self.cluster.wait_whole()
            self.load.wait_flow()

    def moved(self, name, target):
        value = json.loads(self.zk.get(f"/brokers/topics/{name}")[0])
        if value["partitions"] != target or value.get("adding_replicas") or value.get("removing_replicas"):
            raise Failure(str(value))
        return self.zk.exists("/admin/reassign_partitions") is None

    def hand_to_ours(self):
        """Takes the role from theirs until ours wins it; how often."""
        for moves in range(60):
            now = until("somebody governs", self.somebody, 30, 0.02)
            if now == "0":
                return moves
            time.sleep(0.5)
            self.zk.delete("/controller")
            time.sleep(0.3)
        raise Failure("ours never won the role in 60 elections")

    def somebody(self):
        number = self.holder()
        return None if number is None else str(number)

    def frozen(self):
        """Ours, beyond its session, while broker 3 dies."""
        with self.report.step("ours frozen beyond its session, a broker elected, ours woken") as step:
            old = checks.holder(self.zk)[1]
            self.cluster.brokers[3].kill()
            until("broker 3's session expires", lambda: not self.zk.exists("/brokers/ids/3"), 30, 0.002)
            self.cluster.controller.process.pause()
            until("a broker governs", lambda: self.holder() in IDS, 60)
            election = checks.holder(self.zk)[1].czxid
            self.cluster.controller.process.resume()
            until("ours is back as a broker", lambda: (self.zk.exists("/brokers/ids/0") or old).owner
                  not in (old.owner,), 60)
            time.sleep(3)
            known = {self.zk.session, checks.holder(self.zk)[1].owner}
            known |= {s.owner for s in (self.zk.exists(f"/brokers/ids/{b}") for b in IDS) if s}
            log = checks.transactions(self.cluster.server.data)
            effects = checks.zombie_effects(self.cluster.server.data, {t.session for t in log} - known,
                                            election, lambda t: set(t.paths) == {"/brokers/ids/0"})
            if effects:
                raise Failure(f"ours changed {len(effects)} things after the election: {effects[0]}")
            refusals = sum(text(b.file(f)).count("is old. Latest known controller epoch")
                           for b in self.cluster.brokers.values() for f in ("state.log", "server.log"))
            step.note(f"no transaction of ours after the election took effect; brokers' logs refuse "
                      f"{refusals} requests of an old controller epoch")
            self.cluster.brokers[3].start()
            self.hand_to_ours()
            self.cluster.wait_whole()
            self.load.wait_flow()

    def finish(self):
        with self.report.step("the end: every topic takes records, everything is read back") as step:
            count = 0
            for name in self.zk.children("/brokers/topics"):
                if name.startswith("__") or name in self.load.topics.values():
                    continue
                for p in sorted(p for _, p in self.cluster.states(name)):
                    kcat_write(self.cluster, name, [f"usable {p}"], p)
                    count += 1
                if len(clients.read_back(self.cluster.servers, name)) == 0:
                    raise Failure(f"{name} gives nothing back")
            step.note(f"{count} partitions of topics beside those of the load took a record")
            self.load.finish(self.report)


def over_brokers(options, report, stage):
    real = Real(options, report, stage)
    real.start()
    for i in range(3 if options.deep else 1):
        real.killed_in_deletion(i)
        real.killed_in_reassignment(i)
    real.frozen()
    real.finish()


def run(options, report):
    kafka.libs()
    report.fact("versions", f"Apache Kafka {kafka.VERSION}, ours: {options.controller}")
    for part in (over_fakes, over_brokers):
        with Stage(options.keep) as stage:
            try:
                part(options, report, stage)
            except BaseException:
                report.tails = stage.tails()
                raise
