"""A controller killed with SIGKILL at random moments; the next one must end as if none had been.

A trial, from a world that is always the same:

    topics with states are put into ZooKeeper -> a controller starts -> something keeps it busy
    -> SIGKILL after a random time -> its session expires -> the next controller starts
    -> znodes as in the trial without SIGKILL, and every broker believes them

What keeps it busy is, in turn, a failover (its predecessor and a broker died together), the deletion of
half of the topics, and the reassignment of all partitions. Moments are drawn from the time that the
unkilled trial took to its last write. Ours writes znodes one at a time in half of the trials, and in groups
in the rest. What was left to do at each SIGKILL is counted, so that one sees that they struck
in the middle.
"""

import random
import time

from kcsim_harness import checks, controllers
from kcsim_harness.light import LightCluster, random_moves
from kcsim_harness.process import Failure, Stage, until

KINDS = ("failover", "deletion", "reassignment")


class Trials:
    """The world and what the unkilled trials left."""

    def __init__(self, options, stage, report):
        self.options = options
        self.report = report
        self.world = LightCluster(stage)
        self.stage = stage
        self.partitions = 50 if options.deep else 20
        self.topics = [f"t{i}" for i in range(10)]
        self.rng = random.Random(options.seed)
        self.moves = random_moves(self.rng, self.topics, self.partitions, self.world.ids)
        self.starts = 0
        self.single = False     # ours writes one znode at a time, as Kafka does; else in groups

    def start_controller(self):
        """A new one; ids 0 and 100 in turn, for the session of a killed one keeps its id a while."""
        self.starts += 1
        group = self.options.group or (1 if self.single else None)
        settings = {"kcsim.zookeeper.write.group": group} if group else {}
        controller = controllers.make(self.options.controller, self.stage, 100 * (self.starts % 2),
                                      self.world.server.address, self.options.kcsim, session_ms=1000,
                                      settings=settings, name=f"controller-{self.starts}")
        controller.start()
        return controller

    def begin(self, kind):
        """Resets the world, starts a controller, keeps it busy: (controller, moment it began)."""
        self.world.reset(self.topics, self.partitions)
        controller = self.start_controller()
        checks.wait_holder(self.world.zk, 60, controller.id)
        if kind == "failover":
            self.world.wait_settled(None, 60, controller)
            self.world.fleet.stop(self.world.ids[-1])
            controller.process.kill()
            self.gone()
            controller = self.start_controller()
            checks.wait_holder(self.world.zk, 60, controller.id)
            return controller, time.monotonic()
        self.world.wait_settled(None, 60, controller)
        if kind == "deletion":
            self.world.delete_topics(self.topics[:5])
        else:
            self.world.reassign(self.moves)
        return controller, time.monotonic()

    def gone(self):
        """The killed one's session ends by expiry."""
        until("the session expires", lambda: checks.holder(self.world.zk) is None, 30, 0.02)

    def unkilled(self, kind):
        """(znodes at the end, seconds until the controller's last write)"""
        controller, began = self.begin(kind)
        session, wall = checks.holder(self.world.zk)[1].owner, time.time()
        wall -= time.monotonic() - began
        self.world.wait_quiet(120)
        self.world.wait_settled(None, 60, controller)
        wanted = checks.znodes(self.world.zk, kind != "reassignment")
        self.sane(kind, wanted)
        controller.process.kill()
        last = max(t.time for t in checks.transactions(self.world.server.data) if t.session == session)
        return wanted, max(0.02, last / 1000 - wall)

    def sane(self, kind, wanted):
        """That the unkilled trial itself did what was asked."""
        left = [t for t in self.topics if f"/brokers/topics/{t}" in wanted]
        if kind == "deletion" and (left != self.topics[5:] or wanted["/admin/delete_topics"]):
            raise Failure(f"unkilled deletion: topics left {left}")
        if kind == "reassignment":
            if wanted["/admin/reassign_partitions"] is not None:
                raise Failure("unkilled reassignment: not finished")
            for (t, p), replicas in self.moves.items():
                if wanted[f"/brokers/topics/{t}"]["partitions"][str(p)] != replicas:
                    raise Failure(f"unkilled reassignment: {t}-{p} is not on {replicas}")
        if kind == "failover":
            dead = self.world.ids[-1]
            for path, state in wanted.items():
                if path.endswith("/state") and (state["leader"] in (dead, -1) or dead in state["isr"]):
                    raise Failure(f"unkilled failover: {path} {state}")

    def to_change(self, wanted, ordered):
        return len(checks.differences(wanted, checks.znodes(self.world.zk, ordered), 10**9))

    def killed(self, kind, wanted, took):
        """One trial: (moment in s, znodes to change, of them still to change at the SIGKILL)"""
        controller, began = self.begin(kind)
        ordered = kind != "reassignment"
        whole = self.to_change(wanted, ordered)
        moment = self.rng.uniform(0, took * 1.1)
        time.sleep(max(0, began + moment - time.monotonic()))
        controller.process.kill()
        struck = time.monotonic() - began
        left = self.to_change(wanted, ordered)
        self.gone()
        controller = self.start_controller()
        checks.wait_holder(self.world.zk, 60, controller.id)
        self.world.wait_settled(wanted, 60, controller, ordered)
        controller.process.kill()
        return struck, whole, left


def run(options, report):
    count = options.moments or (100 if options.deep else 5)
    with Stage(options.keep) as stage:
        try:
            trials = Trials(options, stage, report)
            play(trials, report, count)
        except BaseException:
            report.tails = stage.tails()
            raise


def play(trials, report, count):
    report.fact("controller", trials.options.controller)
    report.fact("ZooKeeper", trials.world.server.version())
    report.fact("world", f"{len(trials.topics)} topics of {trials.partitions} partitions, RF 3, "
                         f"{len(trials.world.ids)} fake brokers; seed {trials.options.seed}")
    reference, took = {}, {}
    for trials.single in (True, False) if trials.options.controller == "kcsim" else (False,):
        for kind in KINDS:
            how = "one write at a time" if trials.single else "writes as by default"
            with report.step(f"{kind}, unkilled, {how}") as step:
                znodes, seconds = trials.unkilled(kind)
                took[kind, trials.single] = seconds
                lines = checks.differences(reference.setdefault(kind, znodes), znodes)
                if lines:
                    raise Failure(f"two unkilled runs differ: {lines}")
                step.note(f"last write after {seconds * 1000:.0f} ms")
    seen = {kind: [] for kind in KINDS}
    for i in range(count):
        kind = KINDS[i % len(KINDS)]
        trials.single = (kind, True) in took and i // len(KINDS) % 2 == 0
        with report.step(f"SIGKILL {i + 1}: {kind}") as step:
            struck, whole, left = trials.killed(kind, reference[kind], took[kind, trials.single])
            seen[kind].append((struck, whole, left))
            step.note(f"after {struck * 1000:.0f} ms, {left} znodes were still to change")
    rows = []
    for kind, got in seen.items():
        if got:
            times = [s for s, _, _ in got]
            middle = sum(0 < left < max(w for _, w, _ in got) for _, _, left in got)
            rows.append([kind, len(got), f"{min(times) * 1000:.0f}–{max(times) * 1000:.0f}", middle,
                         len(got)])
    report.table("SIGKILL at random moments",
                 ["while", "kills", "after, ms", "struck in the middle", "ended as unkilled"], rows)
