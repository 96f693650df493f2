#!/usr/bin/env python3
"""How fast campaigns are, and what splitting them costs. Prints a table, and exits 1 below a "must".

  two shards side by side against one: how many times the runs a second   must 1.8
  eight shards one after another against one whole: CPU                  must 1.05 at most
  1,000 seeds of a 60 s scenario of three brokers with faults, 2 cores    must 10 s, aim 2 s

All of one table is measured in one call, rounds alternating, medians told: other work on the machine
hits all of them. Usage: bench/campaign.py PROGRAM [rounds]
"""

import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

PROGRAM = os.path.abspath(sys.argv[1])
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
SCENARIO = """title: Three brokers for a minute, with faults
cluster:
  nodes: [1, 2, 3]
  behaviour: full
  properties: {zookeeper.session.timeout.ms: 6000}
topics:
  t: {partitions: 6, replication-factor: 3}
random: {faults: {kill: 2, bounce: 1, expire: 1, pause: 1, hold: 1, drop: 2, reassign: 1}, from: 2s, until: 45s}
until: 60s
"""


def cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def command(folder, seeds, shard, jobs):
    return [PROGRAM, "campaign", "s.yaml", "--seeds", str(seeds), "--shard", shard, "--jobs",
            str(jobs), "--allow-vacuous", "--output", folder]


def play(commands, together):
    """Returns wall and CPU seconds of the commands, side by side or one after another."""
    began, before = time.monotonic(), cpu()
    running = []
    for c in commands:
        running.append(subprocess.Popen(c, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        if not together:
            running[-1].wait()
    codes = [p.wait() for p in running]
    assert all(code in (0, 3) for code in codes), codes
    return time.monotonic() - began, cpu() - before


def merged(files, name):
    subprocess.run([PROGRAM, "campaign", "merge", *files, "--allow-vacuous", "--output", name],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(name + "/results.ndjson", "rb") as results:
        return results.read()


def one_round(seeds):
    """Wall and CPU of: one job, two shards of one job each at once, eight shards in turn, two jobs."""
    for name in os.listdir("."):
        if name != "s.yaml":
            shutil.rmtree(name)
    found = {
        "one": play([command("one", seeds, "1/1", 1)], False),
        "two": play([command("two", seeds, f"{i}/2", 1) for i in (1, 2)], True),
        "eight": play([command("eight", seeds, f"{i}/8", 1) for i in range(1, 9)], False),
        "jobs": play([command("jobs", seeds, "1/1", 2)], False),
    }
    whole = merged(["one/results.ndjson"], "merged-one")
    for folder in ("two", "eight", "jobs"):
        files = sorted(os.listdir(folder), reverse=True)
        assert merged([f"{folder}/{f}" for f in files], f"merged-{folder}") == whole, folder
    return found


def main():
    seeds = 1000
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        with open("s.yaml", "w", encoding="utf-8") as out:
            out.write(SCENARIO)
        rounds = [one_round(seeds) for _ in range(ROUNDS)]

    def median(name, which):
        return statistics.median(r[name][which] for r in rounds)

    faster = statistics.median(r["one"][0] / r["two"][0] for r in rounds)
    cost = statistics.median(r["eight"][1] / r["one"][1] for r in rounds)
    print(f"load at the end: {os.getloadavg()[0]:.1f}; {ROUNDS} rounds of {seeds} seeds, medians")
    print("| what | wall s | CPU s | |\n|---|---|---|---|")
    print(f"| 1,000 seeds, one job | {median('one', 0):.2f} | {median('one', 1):.2f} | |")
    print(f"| 1,000 seeds, two jobs | {median('jobs', 0):.2f} | {median('jobs', 1):.2f} "
          "| must 10 s, aim 2 s |")
    print(f"| two shards at once | {median('two', 0):.2f} | {median('two', 1):.2f} "
          f"| {faster:.2f} x of one (must 1.8) |")
    print(f"| eight shards in turn | {median('eight', 0):.2f} | {median('eight', 1):.2f} "
          f"| {cost:.3f} x the CPU of one (must 1.05) |")
    print("merged results of all four: the same bytes")
    return 0 if faster >= 1.8 and cost <= 1.05 and median("jobs", 0) <= 10 else 1


if __name__ == "__main__":
    sys.exit(main())
