"""ZooKeeper's protocol, as much as is needed to look at znodes and to be a fake broker.

    frame  = int32 size, then
    first    ConnectRequest  {protocol 0, last zxid, timeout, session, password, read only}
    then     RequestHeader   {xid, type} + record        -> ReplyHeader {xid, zxid, err} + record

One thread reads; callers wait on their own xid, so that many requests can be under way (`many`). A
lost connection is made again with the same session; a request under way then raises Lost, for its
outcome is unknown (reads are asked again). No watches: whoever waits for a znode asks again.
"""

import collections
import socket
import struct
import threading
import time

CREATE, DELETE, EXISTS, GET, SET, CHILDREN, MULTI = 1, 2, 3, 4, 5, 12, 14
CREATE2, PING, CLOSE = 15, 11, -11
PERSISTENT, EPHEMERAL, SEQUENTIAL = 0, 1, 2
NONODE, BADVERSION, NODEEXISTS, NOTEMPTY, EXPIRED = -101, -103, -110, -111, -112

Stat = collections.namedtuple(
    "Stat", "czxid mzxid ctime mtime version cversion aversion owner size children pzxid")
_STAT = struct.Struct(">qqqqiiiqiiq")


class ZkError(Exception):
    """ZooKeeper's answer was an error; .code is its number."""

    def __init__(self, code, path=""):
        super().__init__(f"ZooKeeper error {code} {path}")
        self.code = code


class Lost(Exception):
    """The connection went while the request was under way: its outcome is unknown."""


def _text(s):
    raw = s.encode()
    return struct.pack(">i", len(raw)) + raw


def _bytes(b):
    return struct.pack(">i", -1) if b is None else struct.pack(">i", len(b)) + b


_OPEN_ACL = struct.pack(">ii", 1, 31) + _text("world") + _text("anyone")


class _Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, form):
        values = struct.unpack_from(">" + form, self.data, self.at)
        self.at += struct.calcsize(">" + form)
        return values if len(values) > 1 else values[0]

    def bytes(self):
        size = self.take("i")
        if size < 0:
            return None
        self.at += size
        return self.data[self.at - size:self.at]

    def text(self):
        return self.bytes().decode()

    def stat(self):
        self.at += _STAT.size
        return Stat(*_STAT.unpack_from(self.data, self.at - _STAT.size))


def op_create(path, data=None, mode=PERSISTENT):
    return CREATE, path, _text(path) + _bytes(data) + _OPEN_ACL + struct.pack(">i", mode)


def op_delete(path, version=-1):
    return DELETE, path, _text(path) + struct.pack(">i", version)


def op_set(path, data, version=-1):
    return SET, path, _text(path) + _bytes(data) + struct.pack(">i", version)


def _parse(kind, r):
    if kind == CREATE:
        return r.text()
    if kind in (SET, EXISTS):
        return r.stat()
    if kind == GET:
        data = r.bytes()
        return data or b"", r.stat()
    if kind == CHILDREN:
        names = [r.text() for _ in range(max(0, r.take("i")))]
        return sorted(names)
    if kind == MULTI:
        results = []
        while True:
            sub, done, err = r.take("i?i")
            if done:
                return results
            results.append(r.take("i") if sub == -1 else _parse(sub, r))
            del err
    return None


class Client:
    """A session. Thread-safe."""

    def __init__(self, port, timeout_ms=6000, host="127.0.0.1"):
        self.where = (host, port)
        self.timeout_ms = timeout_ms
        self.session, self.password = 0, b"\0" * 16
        self.last_zxid = 0
        self.lock = threading.Lock()
        self.waiting = {}
        self.xid = 0
        self.sock = None
        self.closed = False
        self.expired = False
        self._connect()
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._ping, daemon=True).start()

    # ---- the connection ----

    def _connect(self):
        end = time.monotonic() + max(60, self.timeout_ms / 1000)
        while True:
            try:
                sock = socket.create_connection(self.where, 2)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                hello = struct.pack(">iqiq", 0, self.last_zxid, self.timeout_ms, self.session)
                hello += _bytes(self.password) + b"\0"
                sock.sendall(_bytes(hello))
                r = _Reader(self._frame(sock))
                _, timeout, session = r.take("iiq")
                if session == 0 or timeout <= 0:
                    self.expired = True
                    raise ZkError(EXPIRED)
                self.timeout_ms, self.session, self.password = timeout, session, r.bytes()
                sock.settimeout(None)
                with self.lock:
                    self.sock = sock
                return
            except (OSError, EOFError) as why:
                if self.closed or time.monotonic() > end:
                    raise Lost(f"no ZooKeeper at {self.where}: {why}") from None
                time.sleep(0.05)

    @staticmethod
    def _frame(sock):
        def exactly(n):
            out = b""
            while len(out) < n:
                more = sock.recv(n - len(out))
                if not more:
                    raise EOFError("closed by ZooKeeper")
                out += more
            return out

        return exactly(struct.unpack(">i", exactly(4))[0])

    def _read(self):
        while not self.closed:
            try:
                frame = self._frame(self.sock)
            except (OSError, EOFError):
                self._lose()
                if self.closed:
                    return
                try:
                    self._connect()
                except (Lost, ZkError):
                    self.closed = True
                    self._lose()
                    return
                continue
            xid, zxid, err = struct.unpack_from(">iqi", frame)
            if zxid > 0:
                self.last_zxid = zxid
            with self.lock:
                entry = self.waiting.pop(xid, None)
            if entry:
                entry["reply"] = (err, frame[16:])
                entry["done"].set()

    def _lose(self):
        with self.lock:
            lost, self.waiting = self.waiting, {}
            if self.sock:
                self.sock.close()
        for entry in lost.values():
            entry["done"].set()

    def _ping(self):
        while not self.closed:
            time.sleep(self.timeout_ms / 3000)
            try:
                with self.lock:
                    self.sock.sendall(struct.pack(">iii", 8, -2, PING))
            except OSError:
                pass

    # ---- requests ----

    def _send(self, kind, body):
        entry = {"done": threading.Event(), "reply": None, "kind": kind}
        with self.lock:
            if self.closed:
                raise Lost("closed")
            self.xid += 1
            self.waiting[self.xid] = entry
            try:
                self.sock.sendall(_bytes(struct.pack(">ii", self.xid, kind) + body))
            except OSError:
                self.waiting.pop(self.xid, None)
                entry["done"].set()
        return entry

    def _result(self, entry, path):
        if not entry["done"].wait(60) or entry["reply"] is None:
            raise Lost(path)
        err, body = entry["reply"]
        if err:
            raise ZkError(err, path)
        return _parse(entry["kind"], _Reader(body))

    def _call(self, kind, path, body):
        return self._result(self._send(kind, body), path)

    def create(self, path, data=None, mode=PERSISTENT):
        """The path made."""
        return self._call(*op_create(path, data, mode))

    def ensure(self, path):
        """The path and those above it."""
        at = ""
        for part in path.strip("/").split("/"):
            at += "/" + part
            try:
                self.create(at)
            except ZkError as e:
                if e.code != NODEEXISTS:
                    raise

    def delete(self, path, version=-1):
        """Whether it was there."""
        try:
            self._call(*op_delete(path, version))
            return True
        except ZkError as e:
            if e.code != NONODE:
                raise
            return False

    def set(self, path, data, version=-1):
        """The new Stat."""
        return self._call(*op_set(path, data, version))

    def exists(self, path):
        """Its Stat, or None."""
        return self.many(EXISTS, [path])[0]

    def get(self, path):
        """(data, Stat), or None."""
        return self.many(GET, [path])[0]

    def children(self, path):
        """Names in order, or None."""
        return self.many(CHILDREN, [path])[0]

    def many(self, kind, paths):
        """What EXISTS, GET or CHILDREN says of each path, None where it is not; all asked at once, and
        again where the connection went, for a read may be repeated."""
        out = []
        for i in range(0, len(paths), 500):
            part = paths[i:i + 500]
            entries = [self._send(kind, _text(p) + b"\0") for p in part]
            out += [self._read_result(kind, e, p) for e, p in zip(entries, part)]
        return out

    def _read_result(self, kind, entry, path):
        end = time.monotonic() + 60
        while True:
            try:
                return self._result(entry, path)
            except ZkError as e:
                if e.code != NONODE:
                    raise
                return None
            except Lost:
                if self.closed or time.monotonic() > end:
                    raise
                time.sleep(0.1)
                entry = self._send(kind, _text(path) + b"\0")

    def multi(self, ops):
        """All or none of op_create, op_delete, op_set."""
        body = b"".join(struct.pack(">i?i", kind, False, -1) + raw for kind, _, raw in ops)
        results = self._call(MULTI, ops[0][1], body + struct.pack(">i?i", -1, True, -1))
        errors = [r for r in results if isinstance(r, int) and r not in (0, -2)]
        if errors:
            raise ZkError(errors[0], ops[0][1])
        return results

    def close(self):
        """Ends the session: its ephemeral znodes go."""
        if self.closed:
            return
        try:
            entry = self._send(CLOSE, b"")
            entry["done"].wait(2)
        except Lost:
            pass
        self.drop()

    def drop(self):
        """Closes the connection only: the session lives until it expires."""
        self.closed = True
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()
