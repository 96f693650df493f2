"""A controller frozen in the middle of its work, and another elected meanwhile.

    X works on a failover of 1,000 partitions  ->  SIGSTOP X  ->  Y is elected  ->  SIGCONT X

Two ways in which X loses the role: its session expires while it is frozen ("expired"), or /controller is
taken from it and its session lives on ("moved"), so that only the fence in each of its writes stops
them. X wakes up as soon as Y is elected ("early"), when all brokers have heard Y's epoch ("heard"), or
when Y is done ("late"). Ours and theirs are frozen in turn.

Nothing that X writes after Y's election may have an effect: the transaction log of ZooKeeper has no
successful transaction of X's sessions after it, but for X's own registration as a broker. Nothing that X
sends to a broker that has heard Y's epoch is accepted; brokers answer X slowly until it is frozen, so that
requests are queued in it, which it sends when it wakes. In the end every partition is as if X had never
woken up, and when Y is killed X takes over and works.
"""

import random
import time

from kcsim_harness import checks, controllers, kafka
from kcsim_harness.light import LightCluster, assignment
from kcsim_harness.process import Failure, Stage, until

DEAD = 5


class Trial:
    """One freeze."""

    def __init__(self, world, options, number, frozen, elected, way, wake, group):
        self.world, self.options = world, options
        self.zk, self.fleet = world.zk, world.fleet
        self.rng = random.Random(options.seed * 1000 + number)
        self.number, self.way, self.wake, self.group = number, way, wake, group
        self.kinds = (frozen, elected)
        self.x = self.y = None

    def controller(self, kind, number, letter):
        settings = {"kcsim.zookeeper.write.group": self.group} if kind == "kcsim" and self.group else {}
        return controllers.make(kind, self.world.stage, number, self.world.server.address,
                                self.options.kcsim, settings=settings, name=f"{self.number}-{letter}")

    def play(self, step):
        for tries in range(4):
            left = self.until_frozen(tries)
            if 0 < left < 600:
                break
            if tries < 3:                                # it struck before or after the work: again
                for controller in (self.x, self.y):
                    if controller.process:
                        controller.process.kill()
        step.note(f"X frozen with {left} of 600 partitions still to change")
        if self.way == "expired":
            self.y.start()
        else:
            self.zk.delete("/controller")
        self.elected(step)
        self.judge(step)
        self.take_over(step)

    def until_frozen(self, tries):
        """From the beginning to SIGSTOP; how many partitions were still to change."""
        self.x = self.controller(self.kinds[0], 0, f"x{tries}")
        self.y = self.controller(self.kinds[1], 100, f"y{tries}")
        topics = [f"t{i}" for i in range(10)]
        until("the ids are free", lambda: not self.zk.exists("/brokers/ids/0")
              and not self.zk.exists("/brokers/ids/100"), 60)
        self.world.reset(topics, 100)
        if self.way == "expired":
            self.fleet.stop(DEAD)
            self.fleet.answer_after = 1.0
            self.x.start()
            began = checks.wait_holder(self.zk, 60, 0)[1].czxid
        else:
            self.x.start()
            checks.wait_holder(self.zk, 60, 0)
            self.world.wait_settled(None, 60, self.x)
            self.y.start()
            until("Y stands by", lambda: self.zk.exists("/brokers/ids/100"), 60)
            time.sleep(2)
            self.fleet.answer_after = 1.0
            self.fleet.stop(DEAD)
            began = self.zk.last_zxid
        return self.freeze(began)

    def freeze(self, began):
        """Waits for some transactions of X's, then SIGSTOP."""
        few = self.x.kind == "kcsim" and self.group != 1
        some = (1, 3) if few else (20, 300) if self.x.kind == "kcsim" else (220, 480)
        wanted = began + self.rng.randint(*some)

        def far_enough():
            self.zk.exists("/controller")                # an answer carries the newest zxid
            return self.zk.last_zxid >= wanted

        until("X has begun", far_enough, 30, 0)
        self.x.process.pause()
        self.fleet.answer_after = 0.0
        self.epoch = checks.controller_epoch(self.zk)[0]
        self.frozen_at = time.monotonic()
        return sum(DEAD == s["leader"] or DEAD in s["isr"] for s, _ in checks.states(self.zk).values())

    def elected(self, step):
        _, stat = checks.wait_holder(self.zk, 60, 100)
        self.election = stat.czxid
        self.heard = len(self.fleet.heard)
        if self.wake == "late":
            self.world.wait_settled(None, 60, self.y)
        elif self.wake == "heard":
            epoch = self.epoch + 1
            until("all brokers have heard the new epoch",
                  lambda: all(b.controller_epoch == epoch for b in self.fleet.up()), 60, 0.01)
            time.sleep(max(0, self.frozen_at + 1.2 - time.monotonic()))
        elif self.way == "moved":
            time.sleep(self.rng.uniform(0, 0.3))
        slept = time.monotonic() - self.frozen_at
        self.x.process.resume()
        step.note(f"woken after {slept:.1f} s, "
                  + {"early": "at once after Y's election", "late": "when Y was done",
                     "heard": "when all brokers had heard its epoch"}[self.wake])
        time.sleep(6)

    def judge(self, step):
        known = {self.zk.session, checks.holder(self.zk)[1].owner}
        known |= {b.zk.session for b in self.fleet.brokers.values()}
        sessions = {t.session for t in checks.transactions(self.world.server.data)} - known
        effects = checks.zombie_effects(self.world.server.data, sessions, self.election,
                                        lambda t: set(t.paths) == {"/brokers/ids/0"})
        if effects:
            raise Failure(f"X changed {len(effects)} things after Y's election, first {effects[0]}")
        refused = sum(t.session in sessions and t.failed for t in
                      checks.transactions(self.world.server.data, self.election))
        epoch = checks.controller_epoch(self.zk)[0]
        stale = checks.stale_states(self.zk, self.election, epoch)
        if stale:
            raise Failure(f"states written after Y's election with an older epoch: {stale}")
        if epoch != self.epoch + 1:
            raise Failure(f"epoch {self.epoch} -> {epoch}")
        sent = [h for h in self.fleet.heard[self.heard:] if h.epoch < epoch]
        step.note(f"of X's writes after the election {refused} reached ZooKeeper, all refused; "
                  f"of {len(sent)} requests with its epoch brokers refused "
                  f"{sum(h.refused != 0 for h in sent)}")
        self.accepted_after_new_epoch(epoch)
        self.as_if_never_woken()

    def accepted_after_new_epoch(self, epoch):
        newest = {}
        for h in self.fleet.heard:
            if h.epoch < newest.get(h.broker, 0) and not h.refused:
                raise Failure(f"broker {h.broker} took a request of epoch {h.epoch} after {epoch}")
            newest[h.broker] = max(newest.get(h.broker, 0), h.epoch)

    def as_if_never_woken(self):
        for i in range(10):
            replicas = assignment(100, self.world.ids, shift=i)
            for (_, p), (state, _) in checks.states(self.zk, [f"t{i}"]).items():
                left = [b for b in replicas[p] if b != DEAD]
                if state["leader"] != left[0] or state["isr"] != left:
                    raise Failure(f"t{i}-{p}: {state}, replicas {replicas[p]}")
        self.world.wait_settled(None, 30, self.y)
        self.x.check_alive()

    def take_over(self, step):
        """Y is killed: what was a zombie governs."""
        began = time.monotonic()
        self.y.process.kill()
        checks.wait_holder(self.zk, 60, 0)
        self.world.create_topic("after", assignment(3, [1, 2, 3, 4]))
        until("X makes a topic", lambda: len(checks.states(self.zk, ["after"])) == 3, 60)
        self.world.wait_settled(None, 60, self.x)
        step.note(f"Y killed: X governs {time.monotonic() - began:.1f} s after")
        self.x.process.kill()


def run(options, report):
    kafka.libs()
    ours = options.controller
    ways = [(way, wake) for way in ("expired", "moved") for wake in ("early", "heard", "late")]
    if not options.deep:
        ways = [(way, "heard") for way in ("expired", "moved")]
    plan = []
    for number, (way, wake) in enumerate(ways):
        single = 1 if number % 2 == 0 else None          # ours: one write at a time, or in groups
        plan += [(ours, "kafka", way, wake, single), ("kafka", ours, way, wake, single)]
    with Stage(options.keep) as stage:
        try:
            world = LightCluster(stage, catch_up=False)
            report.fact("controllers", f"ours ({ours}), Apache Kafka {kafka.VERSION}")
            report.fact("ZooKeeper", world.server.version())
            report.fact("world", "10 topics of 100 partitions, RF 3, 5 fake brokers, one of them dead")
            for number, (x, y, way, wake, group) in enumerate(plan):
                grouped = "" if x != "kcsim" else " one write at a time" if group else " writes in groups"
                with report.step(f"{x}{grouped} frozen, {way}; {y} elected; woken {wake}") as step:
                    Trial(world, options, number, x, y, way, wake, group).play(step)
        except BaseException:
            report.tails = stage.tails()
            raise
