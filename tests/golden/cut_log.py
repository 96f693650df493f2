#!/usr/bin/env python3
"""Cuts a controller's log by scenario step and takes out what differs from run to run.

cut_log.py SCENARIO MARKS OUT KAFKA_LOG...  writes OUT.log and OUT.broker.log (see logs/README.md).

MARKS has one line per scenario line, `MILLISECONDS SECONDSs LINE`, written when the line was done.
"""
import re
import sys
import time

RECORD = re.compile(r"^\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(\d{3})\] (TRACE|DEBUG|INFO|WARN|ERROR|FATAL) ")
LOGGER = re.compile(r" \(([\w.$]+)\)$")
MARK = re.compile(r"^(\d+) +[\d.]+s (.*)$")
PASSIVE = ("wait", "untraced", "traced", "fault", "sleep")


def steps(scenario, marks):
    """(start in ms, number) of each numbered step. A step starts when the line
    before it was done; 300 ms are taken off because a mark may be late and the
    wait before it has been silent for longer than that."""
    lines = [l.split("#")[0].strip() for l in open(scenario)]
    lines = [l for l in lines if l]
    done = [MARK.match(l) for l in open(marks)]
    done = [(int(m.group(1)), m.group(2)) for m in done if m]
    if [d[1] for d in done] != lines:
        sys.exit("cut_log: the marks do not fit the scenario")
    out, number, before = [], 0, ("", 0)
    for (end, line) in done:
        if not line.startswith(PASSIVE):
            number += 1
            out.append((before[1] - (300 if before[0].startswith("wait") else 0), number))
        before = (line, end)
    return out


def records(path):
    """(ms, level, logger, message, exception line or None)"""
    cur = None
    for raw in open(path, errors="replace"):
        raw = raw.rstrip("\n")
        m = RECORD.match(raw)
        if m:
            if cur:
                yield cur
            ms = int(time.mktime(time.strptime(m.group(1), "%Y-%m-%d %H:%M:%S"))) * 1000 + int(m.group(2))
            cur = [ms, m.group(3), None, raw[m.end():], None]
        elif cur and cur[2] is None:  # a message of several lines
            cur[3] += "\n" + raw
        elif cur and cur[4] is None and not raw.startswith("\tat "):
            cur[4] = raw
        if cur and cur[2] is None:
            g = LOGGER.search(cur[3])
            if g:
                cur[2], cur[3] = g.group(1), cur[3][:g.start()]
    if cur:
        yield cur


class Canon:
    def __init__(self):
        self.epochs = {}

    def epoch(self, broker, czxid):
        known = self.epochs.setdefault(broker, [])
        if czxid not in known:
            known.append(czxid)
        return "%s#%d" % (broker, known.index(czxid) + 1)

    def __call__(self, text):
        text = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
        if "broker epochs cache" in text:
            text = re.sub(r"(\d+) -> (\d+)", lambda m: "%s -> %s" % (m.group(1), self.epoch(m.group(1), m.group(2))), text)
        return text.replace("\\", "\\\\").replace("\n", "\\n")


def main():
    scenario, marks, out = sys.argv[1:4]
    starts = steps(scenario, marks)
    controller, broker = [], []
    for path in sys.argv[4:]:
        canon = Canon()
        for ms, level, logger, message, exception in records(path):
            if not (logger == "state.change.logger" or (logger or "").startswith("kafka.controller.")):
                continue
            step = max([n for (t, n) in starts if t <= ms], default=0)
            text = canon(message + ("" if exception is None else "\n" + exception))
            (broker if text.startswith("[Broker id=") else controller).append((step, "%02d\t%s\t%s\t%s\n" % (step, level, logger, text)))
    for name, lines in ((".log", controller), (".broker.log", broker)):
        with open(out + name, "w") as f:
            f.writelines(l for (_, l) in sorted(lines, key=lambda x: x[0]))


main()
