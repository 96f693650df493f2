"""What must be true.

`znodes` takes what a controller leaves behind, without what may differ between two right runs: leader
epochs, controller epochs, znode versions, timestamps. Two runs that end alike are equal there.
"""

import json
import time

from . import jute, txnlog
from .process import Failure, until


def holder(zk):
    """(broker id, Stat) of /controller, or None."""
    got = zk.get("/controller")
    return (json.loads(got[0])["brokerid"], got[1]) if got else None


def wait_holder(zk, seconds, *ids):
    """Waits until one of ids (any, where none is given) holds /controller; (id, Stat)."""

    def held():
        h = holder(zk)
        if h and (not ids or h[0] in ids):
            return h
        raise Failure(f"/controller names {h[0] if h else 'nobody'}")

    return until(f"controller {' or '.join(map(str, ids)) or 'elected'}", held, seconds, 0.02)


def controller_epoch(zk):
    """(epoch, Stat) of /controller_epoch."""
    got = zk.get("/controller_epoch")
    return (int(got[0]), got[1]) if got else (0, None)


class Rule:
    """That one controller has held the role without a break: /controller is still the same znode (it is
    ephemeral: whoever wins it anew makes a new one), so no look between two checks was needed."""

    def __init__(self, zk, number):
        self.zk = zk
        number_now, stat = wait_holder(zk, 60, number)
        self.number, self.czxid = number_now, stat.czxid
        self.epoch = controller_epoch(zk)[0]

    def __call__(self):
        h = holder(self.zk)
        if h is None or h[0] != self.number or h[1].czxid != self.czxid:
            raise Failure(f"/controller was {self.number}'s since zxid {self.czxid}; now: {h}")
        if controller_epoch(self.zk)[0] != self.epoch:
            raise Failure(f"the controller epoch was {self.epoch}; now {controller_epoch(self.zk)[0]}")


def _json(raw):
    try:
        return json.loads(raw)
    except ValueError:
        return {"unreadable": repr(raw[:80])}


def states(zk, topics=None):
    """{(topic, partition): (state as a dict, Stat)} of all state znodes."""
    names = topics if topics is not None else zk.children("/brokers/topics") or []
    found = zk.many(jute.CHILDREN, [f"/brokers/topics/{t}/partitions" for t in names])
    tps = [(t, int(p)) for t, partitions in zip(names, found) for p in partitions or []]
    values = zk.many(jute.GET, [f"/brokers/topics/{t}/partitions/{p}/state" for t, p in tps])
    return {tp: (_json(v[0]), v[1]) for tp, v in zip(tps, values) if v}


def znodes(zk, order=True):
    """What is compared between two runs: {path: value}. order: that of an ISR counts, too (it does not
    where leaders added to it, for they do when their followers are ready)."""
    out = {}
    names = zk.children("/brokers/topics") or []
    for name, got in zip(names, zk.many(jute.GET, [f"/brokers/topics/{t}" for t in names])):
        value = _json(got[0]) if got else None
        if value:
            out[f"/brokers/topics/{name}"] = {
                k: value.get(k, {}) for k in ("partitions", "adding_replicas", "removing_replicas")}
    for (topic, partition), (state, _) in states(zk, names).items():
        out[f"/brokers/topics/{topic}/partitions/{partition}/state"] = {
            "leader": state.get("leader"),
            "isr": state.get("isr") if order else sorted(state.get("isr") or [])}
    for folder in ("/admin/delete_topics", "/config/topics", "/isr_change_notification",
                   "/log_dir_event_notification"):
        out[folder] = zk.children(folder)
    for path in ("/admin/reassign_partitions", "/admin/preferred_replica_election"):
        got = zk.get(path)
        out[path] = _json(got[0]) if got else None
    return out


def differences(wanted, got, most=8):
    """Lines that say where two `znodes` differ."""
    paths = sorted(p for p in wanted.keys() | got.keys() if wanted.get(p) != got.get(p))
    lines = [f"{p}: wanted {wanted.get(p)}, is {got.get(p)}" for p in paths[:most]]
    return lines + ([f"… and {len(paths) - most} more"] if len(paths) > most else [])


def fleet_agrees(zk, fleet):
    """Failure unless every fake broker believes of every partition what its znode says, and leads or
    follows accordingly."""
    for (tp, (state, _)) in states(zk).items():
        truth = (state["leader"], state["leader_epoch"], state["isr"])
        for broker in fleet.up():
            said = broker.metadata.get(tp)
            if said != truth:
                raise Failure(f"broker {broker.id} believes {said} of {tp}, its znode says {truth}")
    if fleet.complaints:
        raise Failure(fleet.complaints[0])


def transactions(zk_data, after=0):
    """What the ZooKeeper server wrote down after a zxid. zk_data: its dataDir."""
    return txnlog.read(zk_data, after)


def zombie_effects(zk_data, sessions, after, allowed):
    """Transactions that a deposed controller's sessions made after an election.

    sessions: its session numbers; after: the election's zxid; allowed(txn): what a mere standby may do."""
    return [t for t in transactions(zk_data, after)
            if t.session in sessions and not t.failed
            and t.type not in (txnlog.CREATE_SESSION, txnlog.CLOSE_SESSION)
            and not allowed(t)]


def stale_states(zk, mzxid, epoch):
    """State znodes written after the zxid of an election that carry an older controller epoch."""
    return {tp: state for tp, (state, stat) in states(zk).items()
            if stat.mzxid > mzxid and state["controller_epoch"] < epoch}


class Idle:
    """How busy a process is: share of one processor since the beginning."""

    def __init__(self, process):
        self.process = process
        self.cpu = process.cpu_seconds()
        self.at = time.monotonic()

    def share(self):
        return (self.process.cpu_seconds() - self.cpu) / max(0.001, time.monotonic() - self.at)

    def require(self, most=0.20):
        share = self.share()
        if share > most:
            raise Failure(f"{self.process.name} used {share:.0%} of a processor, more than {most:.0%}")
        return share
