"""A light cluster: ZooKeeper and fake brokers, and operations that keep a controller busy.

A world can be reset while no controller runs: topics are then put straight into ZooKeeper together with
their states, so that each trial begins at the same znodes and trials can be compared.
"""

import json
import time

from . import checks, jute
from .fakebroker import Fleet
from .process import Failure, until
from .zookeeper import ZooKeeper

TOP_LEVEL = ("/consumers", "/brokers/ids", "/brokers/topics", "/config/changes", "/admin/delete_topics",
             "/brokers/seqid", "/isr_change_notification", "/latest_producer_id_block",
             "/log_dir_event_notification", "/config/topics", "/config/clients", "/config/users",
             "/config/brokers", "/config/ips")


def dumps(value):
    return json.dumps(value, separators=(",", ":")).encode()


def assignment(partitions, brokers, factor=3, shift=0):
    """{partition: replicas}, round and round the brokers."""
    return {p: [brokers[(p + shift + r) % len(brokers)] for r in range(factor)]
            for p in range(partitions)}


def topic_znode(replicas):
    return dumps({"version": 3, "partitions": {str(p): r for p, r in replicas.items()},
                  "adding_replicas": {}, "removing_replicas": {}})


class LightCluster:
    """ZooKeeper, an inspector's session, fake brokers 1 to 5."""

    def __init__(self, stage, brokers=(1, 2, 3, 4, 5), catch_up=True):
        self.stage = stage
        self.server = ZooKeeper(stage)
        self.zk = self.server.client()
        for path in TOP_LEVEL:
            self.zk.ensure(path)
        self.ids = list(brokers)
        self.fleet = Fleet(stage, self.server.port, followers_catch_up=catch_up)
        self.fleet.start(*self.ids)

    # ---- znodes, as an admin tool writes them ----

    def create_topic(self, name, replicas, with_states=False):
        """Config, then topic; with_states also the state znodes, as the first controller would have."""
        self.zk.create(f"/config/topics/{name}", dumps({"version": 1, "config": {}}))
        self.zk.create(f"/brokers/topics/{name}", topic_znode(replicas))
        if not with_states:
            return
        base = f"/brokers/topics/{name}/partitions"
        ops = [jute.op_create(base)]
        for p, r in replicas.items():
            state = {"controller_epoch": 1, "leader": r[0], "version": 1, "leader_epoch": 0, "isr": r}
            ops += [jute.op_create(f"{base}/{p}"), jute.op_create(f"{base}/{p}/state", dumps(state))]
        self.zk.multi(ops)

    def delete_topics(self, names):
        self.zk.multi([jute.op_create(f"/admin/delete_topics/{n}") for n in names])

    def reassign(self, moves):
        """moves: {(topic, partition): replicas}."""
        self.zk.create("/admin/reassign_partitions", dumps({
            "version": 1, "partitions": [{"topic": t, "partition": p, "replicas": r}
                                         for (t, p), r in moves.items()]}))

    def _remove(self, path):
        for child in self.zk.children(path) or []:
            self._remove(f"{path}/{child}")
        self.zk.delete(path)

    def reset(self, topics, partitions):
        """While no controller runs: those topics only, all led by their first replica, ISRs full."""
        until("no controller", lambda: checks.holder(self.zk) is None, 60)
        for broker in self.ids:
            if not self.fleet.brokers[broker].up:
                self.fleet.start(broker)
        for broker in self.fleet.up():                   # before the znodes go: no fake leader writes then
            with broker.lock:
                broker.replicas, broker.metadata, broker.controller_epoch = {}, {}, -1
        for folder in ("/brokers/topics", "/config/topics", "/admin/delete_topics",
                       "/isr_change_notification", "/log_dir_event_notification", "/config/changes"):
            for child in self.zk.children(folder) or []:
                self._remove(f"{folder}/{child}")
        self.zk.delete("/admin/reassign_partitions")
        self.zk.delete("/admin/preferred_replica_election")
        for i, name in enumerate(topics):
            self.create_topic(name, assignment(partitions, self.ids, shift=i), with_states=True)

    # ---- waiting ----

    def wait_settled(self, wanted, seconds, controller, order=True):
        """Waits until znodes are as wanted (None: whatever they are) and the brokers believe them; the
        controller must live all the while."""

        def agree():
            controller.check_alive()
            if wanted is not None:
                lines = checks.differences(wanted, checks.znodes(self.zk, order))
                if lines:
                    raise Failure("; ".join(lines))
            checks.fleet_agrees(self.zk, self.fleet)
            return True

        until("znodes as in an unkilled run, and all brokers believing them" if wanted
              else "all brokers believing the znodes", agree, seconds, 0.1)
        if wanted is not None:
            time.sleep(0.5)
            until("znodes still as in an unkilled run", agree, 1, 0.1)

    def wait_quiet(self, seconds, silence=1.5):
        """Waits until nothing has been written and no request sent for a while; the time (monotonic)
        of the last that was seen."""
        probes, mark, last = 0, None, time.monotonic()
        end = last + seconds
        while time.monotonic() - last < silence:
            if time.monotonic() > end:
                raise Failure(f"not quiet within {seconds} s")
            self.zk.set("/consumers", None)              # to learn the newest zxid; it is one of ours
            probes += 1
            now = (self.zk.last_zxid - probes, len(self.fleet.heard))
            if now != mark:
                mark, last = now, time.monotonic()
            time.sleep(0.05)
        return last


def random_moves(rng, topics, partitions, ids):
    """A reassignment of every partition of the topics to three other brokers, or nearly so."""
    return {(t, p): rng.sample(ids, 3) for t in topics for p in range(partitions)}

