"""Brokers that only obey: registered in ZooKeeper, no data, no clients.

They take what a controller sends (LeaderAndIsr v4, UpdateMetadata v6, StopReplica v3: the versions of
inter.broker.protocol.version 2.6) and judge it as Kafka's ReplicaManager does:

    controller epoch below the highest heard        refused whole: 11, STALE_CONTROLLER_EPOCH
    broker epoch below that of its registration     refused whole: 77, STALE_BROKER_EPOCH
    LeaderAndIsr, leader epoch not above its own    that partition refused: 11
    StopReplica, the same (-2, deletion, excepted)  that partition refused: 74, FENCED_LEADER_EPOCH

and keep what was accepted, so that a round can compare what each broker believes with the znodes. With
`followers_catch_up` a leader adds to the ISR those replicas that follow it at its epoch, as a real one
does once they have its log: state znode by version, then a notification.
"""

import json
import socket
import struct
import threading
import time

from . import jute
from .process import free_port

STALE_CONTROLLER_EPOCH, FENCED_LEADER_EPOCH, STALE_BROKER_EPOCH = 11, 74, 77
DURING_DELETION = -2
LEADER_AND_ISR, STOP_REPLICA, UPDATE_METADATA, API_VERSIONS = 4, 5, 6, 18
APIS = {LEADER_AND_ISR: "LeaderAndIsr", STOP_REPLICA: "StopReplica", UPDATE_METADATA: "UpdateMetadata"}


class _In:
    """A request, read by Kafka's flexible encoding."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, form):
        value = struct.unpack_from(">" + form, self.data, self.at)[0]
        self.at += struct.calcsize(">" + form)
        return value

    def varint(self):
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def text(self):
        size = self.varint() - 1
        if size < 0:
            return None
        self.at += size
        return self.data[self.at - size:self.at].decode()

    def ids(self):
        count = self.varint() - 1
        self.at += 4 * count
        return list(struct.unpack_from(f">{count}i", self.data, self.at - 4 * count))

    def list(self, one):
        out = [one() for _ in range(self.varint() - 1)]
        return out

    def tags(self):
        for _ in range(self.varint()):
            self.varint()
            self.at += self.varint()


def _varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def _text(s):
    return _varint(len(s.encode()) + 1) + s.encode()


def _partition_errors(errors):
    """Compact array of {topic, partition, error}."""
    return _varint(len(errors) + 1) + b"".join(
        _text(topic) + struct.pack(">ih", partition, error) + b"\0"
        for (topic, partition), error in errors)


class Heard:
    """A request that reached a broker."""

    __slots__ = ("at", "broker", "api", "controller", "epoch", "refused", "partitions", "rejected")

    def __init__(self, broker, api, controller, epoch):
        self.at = time.time()
        self.broker, self.api, self.controller, self.epoch = broker, api, controller, epoch
        self.refused = 0        # error for the whole request
        self.partitions = 0
        self.rejected = 0       # partitions refused one by one


class FakeBroker:
    """One broker. All its state is behind `lock`."""

    def __init__(self, fleet, number):
        self.fleet = fleet
        self.id = number
        self.port = free_port()
        self.lock = threading.Lock()
        self.up = False
        self.zk = None
        self.broker_epoch = -1
        self.controller_epoch = -1
        self.replicas = {}      # (topic, partition) -> dict of the last LeaderAndIsr that was accepted
        self.metadata = {}      # (topic, partition) -> (leader, leader epoch, isr)
        self.live = set()       # broker ids, by the last UpdateMetadata
        self.listener = None
        self.connections = set()

    # ---- coming and going ----

    def start(self):
        self.listener = socket.create_server(("127.0.0.1", self.port), reuse_port=False)
        self.up = True
        self.replicas, self.metadata, self.live, self.controller_epoch = {}, {}, set(), -1
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()
        self.zk = jute.Client(self.fleet.zk_port, self.fleet.session_ms)
        path = f"/brokers/ids/{self.id}"
        results = self.zk.multi([jute.op_create(path, b"", jute.EPHEMERAL),
                                 jute.op_set(path, self._registration(), 0)])
        self.broker_epoch = results[1].czxid

    def _registration(self):
        return json.dumps({
            "listener_security_protocol_map": {"PLAINTEXT": "PLAINTEXT"},
            "endpoints": [f"PLAINTEXT://127.0.0.1:{self.port}"], "jmx_port": -1, "port": self.port,
            "host": "127.0.0.1", "version": 4, "timestamp": str(int(time.time() * 1000)),
        }, separators=(",", ":")).encode()

    def stop(self):
        """Its port, its connections and its session end, as seen from outside, at once."""
        self.up = False
        self.listener.shutdown(socket.SHUT_RDWR)    # wakes the thread in accept(): the port is free then
        self.listener.close()
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.zk.close()

    def _accept(self, listener):
        while self.up:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    # ---- requests ----

    def _serve(self, connection):
        stream = connection.makefile("rb")
        try:
            while self.up:
                head = stream.read(4)
                if len(head) < 4:
                    break
                body = stream.read(struct.unpack(">i", head)[0])
                answer = self._answer(body)
                if answer is None:
                    break
                time.sleep(self.fleet.answer_after)
                connection.sendall(struct.pack(">i", len(answer)) + answer)
        except (OSError, struct.error, IndexError, ValueError) as why:
            if self.up and not isinstance(why, OSError):
                self.fleet.complaints.append(f"broker {self.id}: cannot read a request: {why!r}")
        finally:
            connection.close()
            self.connections.discard(connection)

    def _answer(self, body):
        api, version, correlation, client = struct.unpack_from(">hhih", body)
        if api == API_VERSIONS:
            return self._versions(version, correlation)
        wanted = {LEADER_AND_ISR: 4, UPDATE_METADATA: 6, STOP_REPLICA: 3}
        if wanted.get(api) != version:
            self.fleet.complaints.append(f"broker {self.id}: api {api} v{version} is not expected")
            return None
        r = _In(body)
        r.at = 10 + max(0, client)
        r.tags()
        controller, epoch, broker_epoch = r.take("i"), r.take("i"), r.take("q")
        heard = Heard(self.id, api, controller, epoch)
        with self.lock:
            if epoch < self.controller_epoch:
                heard.refused = STALE_CONTROLLER_EPOCH
            elif broker_epoch != -1 and broker_epoch < self.broker_epoch:
                heard.refused = STALE_BROKER_EPOCH
            else:
                self.controller_epoch = epoch
            act = {LEADER_AND_ISR: self._leader_and_isr, UPDATE_METADATA: self._update_metadata,
                   STOP_REPLICA: self._stop_replica}[api]
            errors = act(r, heard)
        self.fleet.heard.append(heard)
        answer = struct.pack(">i", correlation) + b"\0" + struct.pack(">h", heard.refused)
        if api != UPDATE_METADATA:
            answer += _partition_errors([] if heard.refused else errors)
        return answer + b"\0"

    @staticmethod
    def _versions(version, correlation):
        apis = [(4, 4), (5, 3), (6, 6), (18, 3)]
        head = struct.pack(">ih", correlation, 0)
        if version >= 3:
            rows = b"".join(struct.pack(">hhh", k, 0, v) + b"\0" for k, v in apis)
            return head + _varint(len(apis) + 1) + rows + struct.pack(">i", 0) + b"\0"
        rows = b"".join(struct.pack(">hhh", k, 0, v) for k, v in apis)
        tail = struct.pack(">i", 0) if version >= 1 else b""
        return head + struct.pack(">i", len(apis)) + rows + tail

    @staticmethod
    def _topics(r, one):
        """[((topic, partition), what)] of Kafka's array of topics of partitions."""
        out = []

        def topic():
            name = r.text()
            for key, value in r.list(one):
                out.append(((name, key), value))
            r.tags()

        r.list(topic)
        return out

    def _leader_and_isr(self, r, heard):
        def partition():
            index = r.take("i")
            state = {"controller_epoch": r.take("i"), "leader": r.take("i"), "leader_epoch": r.take("i"),
                     "isr": r.ids(), "zk_version": r.take("i"), "replicas": r.ids(),
                     "adding": r.ids(), "removing": r.ids(), "is_new": r.take("?")}
            r.tags()
            return index, state

        errors = []
        for tp, state in self._topics(r, partition):
            heard.partitions += 1
            mine = self.replicas.get(tp, {"leader_epoch": -1})
            if heard.refused:
                continue
            if state["leader_epoch"] <= mine["leader_epoch"]:
                heard.rejected += 1
                errors.append((tp, STALE_CONTROLLER_EPOCH))
            else:
                self.replicas[tp] = state
                errors.append((tp, 0))
        return errors

    def _update_metadata(self, r, heard):
        def partition():
            index = r.take("i")
            r.take("i")
            state = (r.take("i"), r.take("i"), r.ids())
            r.take("i")
            r.ids()
            r.ids()
            r.tags()
            return index, state

        def endpoint():
            r.take("i")
            r.text()
            r.text()
            r.take("h")
            r.tags()

        def broker():
            number = r.take("i")
            r.list(endpoint)
            r.text()
            r.tags()
            return number

        topics = self._topics(r, partition)
        live = r.list(broker)
        heard.partitions = len(topics)
        if heard.refused:
            return []
        self.live = set(live)
        for tp, state in topics:
            if state[0] == -2:
                self.metadata.pop(tp, None)
            else:
                self.metadata[tp] = state
        return []

    def _stop_replica(self, r, heard):
        def partition():
            index, epoch, delete = r.take("i"), r.take("i"), r.take("?")
            r.tags()
            return index, (epoch, delete)

        errors = []
        for tp, (epoch, delete) in self._topics(r, partition):
            heard.partitions += 1
            if heard.refused:
                continue
            mine = self.replicas.get(tp)
            if mine and epoch not in (DURING_DELETION, -1) and epoch <= mine["leader_epoch"]:
                heard.rejected += 1
                errors.append((tp, FENCED_LEADER_EPOCH))
                continue
            if delete:
                self.replicas.pop(tp, None)
            errors.append((tp, 0))
        return errors

    # ---- what a leader does by itself ----

    def widen_isrs(self):
        """Adds to the ISRs that it leads the replicas that follow it; one notification for all."""
        with self.lock:
            mine = [(tp, dict(s)) for tp, s in self.replicas.items() if s["leader"] == self.id]
        changed = []
        for tp, state in mine:
            isr = state["isr"] + [b for b in state["replicas"] if b not in state["isr"]
                                  and self.fleet.follows(b, tp, state["leader_epoch"])]
            if isr == state["isr"]:
                continue
            value = json.dumps({"controller_epoch": state["controller_epoch"], "leader": self.id,
                                "version": 1, "leader_epoch": state["leader_epoch"], "isr": isr},
                               separators=(",", ":")).encode()
            path = f"/brokers/topics/{tp[0]}/partitions/{tp[1]}/state"
            try:
                stat = self.zk.set(path, value, state["zk_version"])
            except jute.ZkError:
                continue                                # somebody else wrote: a LeaderAndIsr will say what
            changed.append({"topic": tp[0], "partition": tp[1]})
            with self.lock:
                now = self.replicas.get(tp)
                if now and now["leader_epoch"] == state["leader_epoch"]:
                    now["isr"], now["zk_version"] = isr, stat.version
        if changed:
            note = json.dumps({"version": 1, "partitions": changed}).encode()
            self.zk.create("/isr_change_notification/isr_change_", note,
                           jute.PERSISTENT | jute.SEQUENTIAL)


class Fleet:
    """The fake brokers of a stage."""

    def __init__(self, stage, zk_port, followers_catch_up=False, session_ms=10000):
        self.zk_port = zk_port
        self.session_ms = session_ms
        self.brokers = {}
        self.heard = []         # Heard, in order of arrival
        self.complaints = []    # what no controller should send
        self.answer_after = 0.0  # seconds between a request and its answer: what follows it must queue
        self.closing = threading.Event()
        stage.on_close(self.close)
        if followers_catch_up:
            threading.Thread(target=self._catch_up, daemon=True).start()

    def start(self, *ids):
        for number in ids:
            broker = self.brokers.setdefault(number, FakeBroker(self, number))
            broker.start()

    def stop(self, *ids):
        for number in ids:
            self.brokers[number].stop()

    def up(self):
        return [b for b in self.brokers.values() if b.up]

    def follows(self, number, tp, leader_epoch):
        """Whether broker `number` lives and follows tp at that epoch."""
        broker = self.brokers.get(number)
        if broker is None or not broker.up:
            return False
        with broker.lock:
            state = broker.replicas.get(tp)
            return state is not None and state["leader_epoch"] == leader_epoch

    def _catch_up(self):
        while not self.closing.wait(0.1):
            for broker in self.up():
                try:
                    broker.widen_isrs()
                except (jute.Lost, jute.ZkError, OSError):
                    pass                                # it has just been stopped, or ZooKeeper was

    def close(self):
        self.closing.set()
        for broker in self.up():
            broker.stop()
