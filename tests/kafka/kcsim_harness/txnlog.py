"""What a ZooKeeper server wrote down: every transaction, and the session that asked for it.

A znode says when it was last changed, not by whom; the server's own log does. It is what a zombie is
judged by: after an election, its sessions may have changed nothing.

    file = "ZKLG", version int32, database int64, then transactions
           {crc int64, size int32, header {session int64, cxid int32, zxid int64, time int64, type int32},
            record, [digest], 'B'}
    a file is filled with zeros ahead of what is written: size 0 is the end.
"""

import collections
import glob
import os
import struct

ERROR, CREATE_SESSION, CLOSE_SESSION = -1, -10, -11
CREATE, DELETE, SET, CHECK, MULTI, CREATE2 = 1, 2, 5, 13, 14, 15

Txn = collections.namedtuple("Txn", "session zxid time type paths failed")
_HEAD = struct.Struct(">qiqqi")


def _path(record, at=0):
    size = struct.unpack_from(">i", record, at)[0]
    return record[at + 4:at + 4 + size].decode(errors="replace")


def _paths(kind, record):
    """(paths that the transaction touched, whether it failed)"""
    if kind in (CREATE, CREATE2, DELETE, SET):
        return [_path(record)], False
    if kind != MULTI:
        return [], kind == ERROR
    count, at = struct.unpack_from(">i", record)[0], 4
    paths, failed = [], False
    for _ in range(count):
        sub, size = struct.unpack_from(">ii", record, at)
        if sub == ERROR:
            failed = True
        elif sub != CHECK:
            paths.append(_path(record, at + 8))
        at += 8 + max(0, size)
    return paths, failed


def read(folder, after=0):
    """The transactions with a zxid above `after`, in order. folder: the server's dataDir."""
    out = []
    for path in glob.glob(os.path.join(folder, "version-2", "log.*")):
        with open(path, "rb") as f:
            data = f.read()
        if data[:4] != b"ZKLG":
            continue
        at = 16
        while at + 12 <= len(data):
            size = struct.unpack_from(">i", data, at + 8)[0]
            if size <= 0 or at + 12 + size >= len(data) or data[at + 12 + size] != 0x42:
                break
            entry = data[at + 12:at + 12 + size]
            session, _, zxid, when, kind = _HEAD.unpack_from(entry)
            if zxid > after:
                paths, failed = _paths(kind, entry[_HEAD.size:])
                out.append(Txn(session, zxid, when, kind, paths, failed))
            at += 12 + size + 1
    return sorted(out, key=lambda t: t.zxid)
