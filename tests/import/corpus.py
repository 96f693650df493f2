#!/usr/bin/env python3
"""The corpus of real logs: corpus.py KCSIM. See README.md.

No line is unknown; what the trace says in the end is what the cluster said (kafka-topics.sh --describe, the
znodes with their stats); `kcsim logs` gives the files back; clocks that are off are found; bad files get a
plain sentence.
"""

import glob
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
KCSIM = sys.argv[1]
MET, DATA, USAGE = 0, 65, 64
failures = []


def kcsim(*args, code=MET):
    done = subprocess.run([KCSIM, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode != code:
        failures.append(f"kcsim {' '.join(args)[:200]}: exit {done.returncode}, not {code}: {done.stderr[-300:]}")
    return done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def check(true, what):
    if not true:
        failures.append(what)


def logs(version, *names):
    return sorted(f for name in names
                  for f in glob.glob(os.path.join(HERE, "corpus", version, "broker-*", name + "*")))


def lines_of(file):
    with (gzip.open if file.endswith(".gz") else open)(file, "rb") as f:
        return f.read()


def partitions(text):
    """The lines of partitions, with the ISR as a set: brokers that join it do when they are ready."""
    out = []
    for line in text.splitlines():
        got = re.match(r"\s+Topic: (\S+)\s+Partition: (\d+)\s+Leader: (\S+)\s+Replicas: (\S+)\s+Isr: (\S*)", line)
        if got:
            out.append(got.groups()[:4] + (tuple(sorted(got.group(5).split(","))),))
    return sorted(out)


def znodes(version):
    with open(os.path.join(HERE, "corpus", version, "znodes.jsonl"), encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def check_znodes(trace, version, how):
    """Data, version, zxids and owner of every znode that a transaction made."""
    for znode in znodes(version):
        path, stat = znode["path"], znode["stat"]
        if path == "/":
            continue
        out, _ = kcsim("zk", trace, "get", "-s", path)
        said = dict(re.findall(r"^(\w+) = (\S+)$", out, re.M))
        data = out.split("\ncZxid", 1)[0] if not out.startswith("cZxid") else ""
        data = "" if data == "null" else data
        where = f"{version} {how} {path}"
        check(data.strip() == (znode["data"] or "").strip(), f"{where}: data {data!r}, not {znode['data']!r}")
        wanted = {"cZxid": hex(stat["czxid"]), "mZxid": hex(stat["mzxid"]),
                  "dataVersion": str(stat["version"]), "ephemeralOwner": hex(stat["owner"])}
        for name, value in wanted.items():
            check(said.get(name) == value, f"{where}: {name} {said.get(name)}, not {value}")


def check_told(trace, version, how):
    """Transactions stand where their time is, elections in these stories are clean, and why ZooKeeper refused is known."""
    with open(trace, encoding="utf-8") as f:
        records = [json.loads(line) for line in f]
    wall = records[0]["wall"]
    for r in records:
        where = f"{version} {how} record {r['n']}"
        check(r.get("unclean", 0) == 0, f"{where}: an unclean election: {r}")
        if r["k"] != "zap" or how != "log.1":
            continue
        check(r.get("code") != "UNKNOWN", f"{where}: refused, and nobody knows why: {r}")
        check(r["ok"] == 1 or r.get("benign") == 1, f"{where}: a refusal that is not everyday: {r}")
        for key, value in r.get("set", []):
            if key.endswith("/state") and value is not None:
                off = (value["mtime"] - wall) * 1000 - r["t"]
                check(abs(off) < 500000, f"{where}: {key} is told {off} us before its time")


def check_version(version, folder):
    trace = os.path.join(folder, "t.ndjson")
    with open(os.path.join(HERE, "corpus", version, "describe.txt"), encoding="utf-8") as f:
        described = partitions(f.read())
    kafka = logs(version, "controller.log", "state-change.log", "server.log")
    for form in sorted(glob.glob(os.path.join(HERE, "corpus", version, "zookeeper-*"))) + [
            os.path.join(HERE, "corpus", version, "log.1")]:
        how = os.path.basename(form)
        out, _ = kcsim("import", *kafka, form, "--trace", trace, "--force")
        check(" 0 unknown" in out, f"{version} {how}: {out}")
        check("moved (" not in out.replace("not moved (", ""), f"{version} {how}: a clock was moved: {out}")
        out, _ = kcsim("describe", trace)
        check(partitions(out) == described, f"{version} {how}: described as {out}")
        check_znodes(trace, version, how)
        check_told(trace, version, how)
    if not logs(version, "server.log") or version == "0.8.2.2":
        return
    # Without ZooKeeper, states and assignments are inferred, and right all the same.
    kcsim("import", *kafka, "--trace", trace, "--force")
    out, _ = kcsim("describe", trace)
    check(partitions(out) == described, f"{version} without ZooKeeper: described as {out}")
    for znode in znodes(version):
        if znode["path"].endswith("/state") or znode["path"] == "/controller_epoch":
            out, _ = kcsim("zk", trace, "get", znode["path"])
            check(json.loads(out) == json.loads(znode["data"]), f"{version} inferred {znode['path']}: {out}")


def check_why(folder):
    """From a leader back to the broker that died, over the transaction that the dead broker's session ended in."""
    trace = os.path.join(folder, "w.ndjson")
    for more in ([os.path.join(HERE, "corpus", "2.8.2", "log.1")], []):
        kcsim("import", *logs("2.8.2", "controller.log", "state-change.log", "server.log"), *more, "--trace",
              trace, "--force")
        out, _ = kcsim("why", trace, "leader of orders-0", "--at", "15s")
        check("leader of orders-0 is 2" in out, f"why, {len(more)}: {out}")
        check("ZooKeeper lets the session of node 1 expire" in out, f"why, {len(more)}: {out}")
        check(out.rstrip().endswith("The process of node 1 ends: its log breaks off (inferred)"),
              f"why, {len(more)}: {out}")


def check_logs(folder):
    """What was read is written again, to the byte."""
    trace = os.path.join(folder, "l.ndjson")
    for file in logs("2.8.2", "controller.log", "state-change.log"):
        kcsim("import", file, "--trace", trace, "--force")
        out, _ = kcsim("logs", trace)
        check(out == lines_of(file).decode(), f"kcsim logs does not give {file} back")


def shifted(data, ms):
    """All times of a log later by ms."""
    import datetime

    def later(match):
        t = datetime.datetime.strptime(match.group(1).decode(), "%Y-%m-%d %H:%M:%S,%f")
        t += datetime.timedelta(milliseconds=ms)
        return b"[" + t.strftime("%Y-%m-%d %H:%M:%S,").encode() + f"{t.microsecond // 1000:03}".encode() + b"]"

    return re.sub(rb"^\[([\d-]+ [\d:]+,\d{3})\]", later, data, flags=re.M)


def check_skew(folder):
    """Broker 1's clock is set off; that is found, and the trace ends as it did."""
    for ms in (3217, -40123):
        files = []
        for file in logs("2.8.2", "controller.log", "state-change.log", "server.log"):
            copy = os.path.join(folder, file.replace(os.sep, "_")[-60:])
            with open(copy, "wb") as f:
                f.write(shifted(lines_of(file), ms) if "broker-1" in file else lines_of(file))
            files.append(copy)
        trace = os.path.join(folder, "s.ndjson")
        out, _ = kcsim("import", *files, os.path.join(HERE, "corpus", "2.8.2", "log.1"), "--trace", trace,
                       "--force")
        got = re.search(r"broker 1 +([\d.]+)s (ahead|behind), moved", out)
        estimate = float(got.group(1)) * (1000 if got.group(2) == "ahead" else -1000) if got else 0
        check(abs(estimate - ms) <= 20, f"a clock off by {ms} ms: {out}")
        check(out.count("not moved") == 2, f"a clock off by {ms} ms: {out}")
        out, _ = kcsim("describe", trace)
        check("Partition: 0\tLeader: 2\tReplicas: 2,3\tIsr: 2,3" in out, f"off by {ms} ms: {out}")


def check_bad(folder):
    """Empty, foreign, of mixed zones, cut off, damaged."""
    def file(name, data):
        path = os.path.join(folder, name)
        with open(path, "wb") as f:
            f.write(data)
        return path

    out = os.path.join(folder, "bad.ndjson")
    good = lines_of(logs("2.8.2", "state-change.log")[0])
    _, err = kcsim("import", file("empty.log", b""), "--trace", out, "--force", code=DATA)
    check("empty.log: the file is empty" in err, err)
    _, err = kcsim("import", file("foreign.log", bytes(range(256)) * 20), "--trace", out, "--force", code=DATA)
    check("foreign.log:1: neither lines of log4j nor transactions" in err, err)
    _, err = kcsim("import", os.path.join(folder, "none.log"), "--trace", out, "--force", code=DATA)
    check("none.log" in err and "No such file" in err, err)
    zoned = file("zoned.log", good.replace(b"] INFO", b"+02:00] INFO", 5).replace(b",", b",", 1))
    _, err = kcsim("import", zoned, "--trace", out, "--force", code=DATA)
    check("zoned.log:6: this time names no time zone, but that of" in err and "--zone" in err, err)
    kcsim("import", zoned, "--trace", out, "--force", "--zone", "+02:00")
    said, _ = kcsim("import", file("cut.log", good[:len(good) // 2]), "--trace", out, "--force")
    check("unknown" in said, said)
    packed = gzip.compress(good)
    _, err = kcsim("import", file("cut.log.gz", packed[:len(packed) // 2]), "--trace", out, "--force")
    check("cut.log.gz: the packed file ends too soon" in err, err)
    raw = lines_of(os.path.join(HERE, "corpus", "2.8.2", "log.1"))
    _, err = kcsim("import", file("log.2", raw[:len(raw) // 2]), "--trace", out, "--force")
    check("log.2: transaction" in err and "cut off" in err, err)
    said, _ = kcsim("import", file("odd.log", good + b"[2026-11-22 07:10:00,000] INFO [Controller id=1] "
                                   b"Something new (kafka.controller.KafkaController)\n"),
                    "--unknown", "--trace", out, "--force")
    check(" 1 unknown" in said and "Something new" in said, said)
    _, err = kcsim("import", zoned, "--output", "x.yaml", code=USAGE)
    check("--trace FILE" in err, err)
    _, err = kcsim("import", zoned, "--trace", out, code=USAGE)
    check("--force" in err, err)


def main():
    with tempfile.TemporaryDirectory(prefix="kcsim-import-") as folder:
        for version in ("2.8.2", "2.8.2-trace", "0.8.2.2"):
            check_version(version, folder)
        check_why(folder)
        check_logs(folder)
        check_skew(folder)
        check_bad(folder)
    for failure in failures[:20]:
        print(failure)
    sys.exit(1 if failures else 0)


main()
