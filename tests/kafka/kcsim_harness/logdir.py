"""What a Kafka broker keeps on its disks about a partition, read from its files.

    DIR/TOPIC-PARTITION/00000000000000000000.log     batches of format 2
    DIR/TOPIC-PARTITION/leader-epoch-checkpoint      0, count, lines "epoch offset"
    DIR/replication-offset-checkpoint                0, count, lines "topic partition high-watermark"

Files of a running broker are read, too: batches are whole or not there (a batch that is being written is
passed over), and checkpoints are renamed into place. So the reader needs no Kafka, and sees a broker
that is down as well as one that runs.
"""

import glob
import os
import struct

_HEAD = struct.Struct(">qiib")  # base offset, size behind it, leader epoch, magic
_LAST_OFFSET_DELTA = 23


def batches(data):
    """[(first offset, last offset, leader epoch)] of a segment's bytes."""
    out, at = [], 0
    while at + 61 <= len(data):
        base, size, epoch, magic = _HEAD.unpack_from(data, at)
        if magic != 2 or size <= 0 or at + 12 + size > len(data):
            break
        delta = struct.unpack_from(">i", data, at + _LAST_OFFSET_DELTA)[0]
        out.append((base, base + delta, epoch))
        at += 12 + size
    return out


def runs(found):
    """Neighbouring batches of one epoch as one: [[first, last, epoch]]. How a producer cut its records
    into batches is its own affair."""
    out = []
    for first, last, epoch in found:
        if out and out[-1][2] == epoch and out[-1][1] + 1 == first:
            out[-1][1] = last
        else:
            out.append([first, last, epoch])
    return out


def _checkpoint(path):
    """The lines of a checkpoint as lists of words; [] where there is none."""
    try:
        with open(path, encoding="utf-8") as f:
            return [line.split() for line in f.read().splitlines()[2:]]
    except OSError:
        return []


def partition(folders, topic, number):
    """What a broker with these log directories has of a partition: {"log", "end", "epochs", "hw"}, or None."""
    for folder in folders:
        home = os.path.join(folder, f"{topic}-{number}")
        if not os.path.isdir(home):
            continue
        found = []
        for path in sorted(glob.glob(os.path.join(home, "*.log"))):
            with open(path, "rb") as f:
                found += batches(f.read())
        marks = [int(line[2]) for line in _checkpoint(os.path.join(folder, "replication-offset-checkpoint"))
                 if line[0] == topic and int(line[1]) == number]
        return {
            "log": runs(found),
            "end": found[-1][1] + 1 if found else 0,
            "epochs": [[int(e), int(o)] for e, o in
                       _checkpoint(os.path.join(home, "leader-epoch-checkpoint"))],
            "hw": marks[0] if marks else 0,
        }
    return None
