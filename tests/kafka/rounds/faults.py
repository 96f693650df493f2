"""ZooKeeper restarted, cut off, slow; znodes that nobody can read.

    controller --- proxy --- ZooKeeper --- fake brokers

The proxy stands only between the controller and ZooKeeper, so that brokers can come and go while the
controller hears nothing. After every fault, by itself, the controller

  - holds /controller: the same znode where the fault was surely shorter than its session, a new one with
    the epoch raised by one where it was surely longer;
  - does what it missed (a broker died meanwhile, and is back), and what is asked now (a new topic);
  - has used under a fifth of a processor.

Of a znode that it cannot read it says the path, leaves it as it is, and serves everything else.
"""

import time

from kcsim_harness import checks, controllers, jute
from kcsim_harness.light import LightCluster, assignment, dumps
from kcsim_harness.process import Failure, Stage, until
from kcsim_harness.proxy import Proxy

GARBAGE = {
    "cut short": b'{"version":1,"leader":1,',
    "not JSON": b"\xff\xfe\x00broken",
    "of another shape": b'[1,"two",{"three":null}]',
    "with words for numbers": b'{"version":1,"leader":"one","leader_epoch":"x","controller_epoch":1,'
                              b'"isr":"all","partitions":{"x":["y"]},"host":7,"port":"z","config":[0]}',
    "empty": b"",
}


class World:
    """The light cluster with one controller behind the proxy."""

    def __init__(self, options, stage):
        self.options = options
        self.light = LightCluster(stage)
        self.zk = self.light.zk
        self.proxy = Proxy(stage, self.light.server.port)
        self.session_ms = 18000 if options.deep else 6000
        self.topics = [f"t{i}" for i in range(5)]
        self.light.reset(self.topics, 20)
        self.controller = controllers.make(options.controller, stage, 0, self.proxy.address,
                                           options.kcsim, session_ms=self.session_ms, name="controller")
        self.controller.start()
        checks.wait_holder(self.zk, 60, 0)
        self.settle(60)
        self.made = 0

    def settle(self, seconds):
        self.light.wait_settled(None, seconds, self.controller)

    def led_without(self, dead):
        """Waits until no partition is led by, or in sync with, that broker; None: all in sync again."""

        def done():
            for tp, (state, _) in checks.states(self.zk).items():
                if dead is not None and (state["leader"] == dead or dead in state["isr"]):
                    raise Failure(f"{tp} {state}")
                if dead is None and tp[0] in self.topics and len(state["isr"]) < 3:
                    raise Failure(f"{tp} {state}")
            return True

        until(f"broker {dead} out of all ISRs" if dead else "all ISRs whole", done, 90, 0.1)

    def prove(self):
        """That the controller works: a topic is created now; seconds until all brokers believe it."""
        began = time.monotonic()
        self.made += 1
        name = f"probe-{self.made}"
        self.light.create_topic(name, assignment(3, self.light.ids[:4], shift=self.made))
        until(f"{name} has its states", lambda: len(checks.states(self.zk, [name])) == 3, 90)
        self.settle(60)
        return time.monotonic() - began


def expect_role(world, step, before, seconds_away):
    """Whether the role was kept or lost as the session says."""
    session = world.session_ms / 1000
    epoch = checks.controller_epoch(world.zk)[0]
    _, stat = checks.wait_holder(world.zk, 90, 0)
    kept = stat.czxid == before["czxid"]
    if not kept:
        until("the epoch of the new election",
              lambda: checks.controller_epoch(world.zk)[0] > before["epoch"], 30)
        epoch = checks.controller_epoch(world.zk)[0]
    if seconds_away + session / 3 + 1 < session and not kept:
        raise Failure(f"away for {seconds_away} s, session {session} s: the role was lost")
    if seconds_away > session + 2 and (kept or epoch != before["epoch"] + 1):
        raise Failure(f"away for {seconds_away} s, session {session} s: epoch {before['epoch']} -> {epoch}")
    step.note("role kept" if kept else f"role lost and won again, epoch {before['epoch']} -> {epoch}")


def role(world):
    return {"czxid": checks.wait_holder(world.zk, 60, 0)[1].czxid,
            "epoch": checks.controller_epoch(world.zk)[0]}


def away(world, report, title, seconds, begin, end):
    """A fault between begin() and end(), during which broker 5 dies."""
    with report.step(title) as step:
        before = role(world)
        idle = checks.Idle(world.controller.process)
        begin()
        if seconds >= 1:
            world.light.fleet.stop(5)
        time.sleep(seconds)
        end()
        healed = time.monotonic()
        expect_role(world, step, before, seconds)
        if seconds >= 1:
            world.led_without(5)
            step.note(f"broker 5 out of all ISRs {time.monotonic() - healed:.1f} s after")
        share = idle.require()
        took = world.prove()
        step.note(f"a new topic took {took:.2f} s; {share:.1%} of a processor")
        if seconds >= 1:
            world.light.fleet.start(5)
            world.led_without(None)


def restarts(world, report):
    for kill in (False, True):
        with report.step("ZooKeeper killed and started" if kill else "ZooKeeper stopped and started") as step:
            before = role(world)
            idle = checks.Idle(world.controller.process)
            gone = time.monotonic()
            world.light.server.restart(kill)
            # Sessions begin anew when the server is back, so this is always below.
            expect_role(world, step, before, 0.1)
            step.note(f"away {time.monotonic() - gone:.1f} s; a new topic took {world.prove():.2f} s")
            time.sleep(2)
            idle.require(0.5 if not world.options.deep else 0.3)


def cuts(world, report):
    proxy = world.proxy
    for seconds in (0.1, 1, 5, 30, 60) if world.options.deep else (0.1, 1, 9):
        away(world, report, f"cut off from ZooKeeper for {seconds} s", seconds, proxy.cut, proxy.heal)
    for seconds in (1, 5, 30, 60) if world.options.deep else (9,):
        away(world, report, f"no byte between it and ZooKeeper for {seconds} s", seconds,
             proxy.freeze, proxy.heal)


def delays(world, report):
    seconds = 60 if world.options.deep else 12
    with report.step(f"every reply of ZooKeeper 1 s late for {seconds} s") as step:
        before = role(world)
        idle = checks.Idle(world.controller.process)
        began = time.monotonic()
        world.proxy.delay(1.0)
        world.light.fleet.stop(5)
        world.made += 1
        name = f"probe-{world.made}"
        world.light.create_topic(name, assignment(3, world.light.ids[:4]))
        time.sleep(max(0, began + seconds - time.monotonic()))
        done = len(checks.states(world.zk, [name])) == 3
        step.note(f"the topic that was asked for meanwhile was {'' if done else 'not yet '}there")
        world.proxy.heal()
        expect_role(world, step, before, 1)
        world.led_without(5)
        idle.require()
        step.note(f"a new topic took {world.prove():.2f} s")
        world.light.fleet.start(5)
        world.led_without(None)


def settled_after_failover(world):
    """Makes the controller read everything again: the role is taken from it, it wins it again."""
    before = role(world)
    world.zk.delete("/controller")
    until("a new election",
          lambda: (checks.holder(world.zk) or (0, None))[1]
          and checks.holder(world.zk)[1].czxid != before["czxid"], 60)


def broken(world, report, title, path, raw, make, unmake):
    """One znode that cannot be read; where a claim does not hold, the next are tried all the same."""
    with report.step(f"{title}, {raw}", soft=True) as step:
        mark = world.controller.mark()
        make(GARBAGE[raw])
        before = world.zk.get(path)
        idle = checks.Idle(world.controller.process)
        try:
            others_are_served(world)
            time.sleep(2)
            share = idle.require()
            after = world.zk.get(path)
            if after is None or after[0] != before[0] or after[1].mzxid != before[1].mzxid:
                raise Failure(f"{path} was touched: {before} -> {after}")
            checks.wait_holder(world.zk, 10, 0)

            def naming():
                return [line for line in world.controller.since(mark) if path in line]

            until(f"the log names {path}", naming, 10, 0.2)
            step.note(f"`{naming()[0][:200]}`".replace("|", "\\|"))
            step.note(f"named {len(naming())} times; {share:.1%} of a processor")
        finally:
            unmake()
            settled_after_failover(world)
            world.prove()


def others_are_served(world):
    """A topic that is asked for while the znode cannot be read."""
    world.made += 1
    name = f"probe-{world.made}"
    world.light.create_topic(name, assignment(3, world.light.ids, shift=world.made))
    until(f"{name} has its states", lambda: len(checks.states(world.zk, [name])) == 3, 30)


def znodes(world, report):
    zk = world.zk
    kinds = list(GARBAGE) if world.options.deep else ["cut short", "with words for numbers"]

    def with_failover(path):
        def make(raw):
            zk.set(path, raw)
            settled_after_failover(world)
        return make

    for raw in kinds:
        path = "/brokers/topics/t0/partitions/0/state"
        good = zk.get(path)[0]
        broken(world, report, "a state", path, raw, with_failover(path), lambda: zk.set(path, good))

        path = "/brokers/topics/t1"
        good_topic = zk.get(path)[0]
        broken(world, report, "a topic", path, raw, with_failover(path),
               lambda: zk.set(path, good_topic))

        path = "/brokers/topics/unreadable"
        broken(world, report, "a new topic", path, raw, lambda b: zk.create(path, b),
               lambda: zk.delete(path))

        path = "/brokers/ids/9"
        broken(world, report, "a broker's registration", path, raw,
               lambda b: zk.create(path, b, jute.EPHEMERAL), lambda: zk.delete(path))

        path = "/admin/reassign_partitions"
        broken(world, report, "a reassignment", path, raw, lambda b: zk.create(path, b),
               lambda: zk.delete(path))

        if raw not in ("cut short", "not JSON"):
            continue                 # to Kafka any JSON, or none, is a config; without "config" an empty one
        path = "/config/topics/t2"
        broken(world, report, "a topic's config", path, raw, config_of_offline(world, path),
               lambda: restore_config(world, path))


def config_of_offline(world, path):
    """A topic's config is read when an election asks whether an unclean leader is allowed: its partition
    0 is left with a dead broker as its only ISR member."""

    def make(raw):
        victim = checks.states(world.zk, ["t2"])[("t2", 0)][0]["leader"]
        world.config_victim = victim
        world.light.fleet.stop(victim)
        world.led_without(victim)
        world.zk.set(path, raw)
        # Written when it is dead: a living leader would take its followers back into the ISR.
        state = checks.states(world.zk, ["t2"])[("t2", 0)][0]
        state.update(leader=victim, isr=[victim], leader_epoch=state["leader_epoch"] + 1)
        world.zk.set("/brokers/topics/t2/partitions/0/state", dumps(state))
        settled_after_failover(world)

    return make


def restore_config(world, path):
    world.zk.set(path, dumps({"version": 1, "config": {}}))
    world.light.fleet.start(world.config_victim)
    world.led_without(None)


def run(options, report):
    with Stage(options.keep) as stage:
        try:
            world = World(options, stage)
            report.fact("controller", options.controller)
            report.fact("ZooKeeper", world.light.server.version())
            report.fact("session", f"{world.session_ms / 1000:g} s")
            restarts(world, report)
            cuts(world, report)
            delays(world, report)
            if options.controller == "kcsim":
                znodes(world, report)
                report.verdict()
            else:
                report.fact("broken znodes", "left out: Apache Kafka's own controller gives up there")
        except BaseException:
            report.tails = stage.tails()
            raise
