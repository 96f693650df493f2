#!/usr/bin/env python3
"""Our controller beside Apache Kafka's, on a real ZooKeeper.

    bench/attached.py [--rounds 3] [--partitions 1000,10000,100000] [--only kcsim|kafka]

Rounds alternate; each has a fresh ZooKeeper (log forced to disk) and brokers that only listen
(bench/attached.c says what is timed). Printed: medians of seconds, the ratio, CPU seconds of the
controller, its peak memory. Apache Kafka 2.8.2 comes from the folder that KCSIM_KAFKA_LIBS names, or
through Maven; without it ours is measured alone.
"""

import argparse
import os
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "kafka"))
from kcsim_harness import kafka, zookeeper  # noqa: E402
from kcsim_harness.process import Skip, Stage, free_port, until  # noqa: E402

BUILD = os.environ.get("KCSIM_BUILD", os.path.join(ROOT, "build", "release"))
OPERATIONS = ("start", "failover", "create", "failure", "return")


class Server(zookeeper.ZooKeeper):
    """As people run it: compiled by the better compiler, every transaction forced to disk."""

    def __init__(self, stage):
        super().__init__(stage, tick_ms=2000)

    def start(self):
        self.process = self.stage.start("zookeeper", [
            "java", "-Xmx2g", "-Djute.maxbuffer=67108864", "-Dzookeeper.snapCount=100000",
            "-Djava.net.preferIPv4Stack=true", "-cp", self.jars,
            "org.apache.zookeeper.server.ZooKeeperServerMain", os.path.join(self.folder, "zoo.cfg"),
        ], self.folder)
        until("ZooKeeper answers", self._answers, 60)


def ours(_stage):
    return [os.path.join(ROOT, "bench", "controllers", "kcsim.sh"),
            os.path.join(BUILD, "cli", "kcsim")]


def theirs(stage):
    return [os.path.join(ROOT, "bench", "controllers", "kafka.sh"), kafka.libs(), stage.path("kafka")]


def one_round(name, command, partitions, samples):
    with Stage() as stage:
        server = Server(stage)
        timer = subprocess.Popen(
            [os.path.join(BUILD, "bench", "attached"), "--label", name, "--zookeeper", server.address,
             "--partitions", str(partitions), "--", *command(stage)],
            stdout=subprocess.PIPE, text=True)
        for line in timer.stdout:
            label, operation, size, seconds, cpu, peak, *_ = line.split()
            samples.setdefault((label, operation, int(size)), []).append(
                (float(seconds), float(cpu), int(peak)))
            print(line, end="", file=sys.stderr, flush=True)
        if timer.wait() != 0:
            sys.exit(f"{name} with {partitions} partitions: no measurement")


def median(samples, key, column):
    return statistics.median(row[column] for row in samples[key])


def table(samples, sizes):
    print("| partitions | what | kcsim, s | Apache Kafka, s | ratio | CPU, s | peak MiB |")
    print("|---|---|---|---|---|---|---|")
    for size in sizes:
        for operation in OPERATIONS:
            row = [f"{size:,}", operation]
            found = [("kcsim", operation, size), ("kafka", operation, size)]
            values = [median(samples, key, 0) if key in samples else None for key in found]
            row += [f"{v:.3f}" if v is not None else "" for v in values]
            row.append(f"{values[1] / values[0]:.1f}" if None not in values else "")
            for column, form in ((1, "{:.2f}"), (2, "{:.0f}")):
                row.append(" / ".join(form.format(median(samples, key, column))
                                      for key in found if key in samples))
            print("| " + " | ".join(row) + " |")


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--partitions", default="1000,10000,100000")
    options.add_argument("--only", choices=("kcsim", "kafka"))
    chosen = options.parse_args()
    sizes = [int(size) for size in chosen.partitions.split(",")]
    controllers = {"kcsim": ours, "kafka": theirs}
    if chosen.only:
        controllers = {chosen.only: controllers[chosen.only]}
    else:
        try:
            kafka.libs()
        except Skip as why:
            print(f"ours alone: {why}", file=sys.stderr)
            del controllers["kafka"]
    samples = {}
    for _ in range(chosen.rounds):
        for size in sizes:
            for name, command in controllers.items():
                one_round(name, command, size, samples)
    table(samples, sizes)


if __name__ == "__main__":
    main()
