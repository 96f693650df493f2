#!/usr/bin/env python3
"""Plays rounds of a controller over a real ZooKeeper, and over real Kafka brokers.

    round.py brokers|handover|zombies|sigkill|faults|replication|all … [--deep|--short] [--controller kcsim|kafka]
             [--kcsim PROGRAM] [--report FILE] [--seed N] [--keep] [--group N] [--moments N]

Exit status: 0 every claim holds, 1 one does not, 77 something is missing on this machine (said plainly).
See README.md beside this file.
"""

import argparse
import importlib
import os
import platform
import sys
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from kcsim_harness.process import Failure, Skip  # noqa: E402
from kcsim_harness.report import Report  # noqa: E402

ROUNDS = {
    "brokers": "Over Apache Kafka's brokers",
    "handover": "Hand-over between ours and theirs",
    "zombies": "Zombies",
    "sigkill": "SIGKILL at random moments",
    "faults": "Faults of ZooKeeper and of znodes",
    "replication": "Logs, epochs and high watermarks, beside the simulator's",
}


def arguments():
    here = os.path.dirname(os.path.abspath(__file__))
    program = os.path.join(here, "..", "..", "build", "release", "cli", "kcsim")
    p = argparse.ArgumentParser(description="Rounds over a real ZooKeeper and real Kafka brokers.")
    p.add_argument("rounds", nargs="+", choices=list(ROUNDS) + ["all"])
    p.add_argument("--deep", action="store_true", default=bool(os.environ.get("KC_DEEP")),
                   help="the long form (also: KC_DEEP=1)")
    p.add_argument("--short", dest="deep", action="store_false", help="the short form, whatever KC_DEEP says")
    p.add_argument("--controller", choices=("kcsim", "kafka"), default="kcsim")
    p.add_argument("--kcsim", default=os.path.normpath(program))
    p.add_argument("--report", help="write a Markdown page here")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--moments", type=int, help="how many SIGKILLs")
    p.add_argument("--group", type=int, help="kcsim.zookeeper.write.group")
    p.add_argument("--record", action="store_true", help="replication: keep what is seen as the recording")
    p.add_argument("--only", help="replication: scenarios whose names contain one of these, with commas")
    p.add_argument("--play", help="replication: the program play_replication")
    p.add_argument("--keep", action="store_true", help="keep the folder of logs")
    options = p.parse_args()
    options.kcsim = os.path.abspath(options.kcsim)
    if "all" in options.rounds:
        options.rounds = list(ROUNDS)
    return options


def play(name, options):
    """(report, exit status)"""
    report = Report(ROUNDS[name])
    report.tails = ""
    print(f"=== {ROUNDS[name]}", flush=True)
    try:
        importlib.import_module(f"rounds.{name}").run(options, report)
        return report, 0
    except Skip as why:
        print(f"skipped: {why}")
        return report, 77
    except Failure as why:
        report.failed = report.failed or str(why)
        say(report, report.failed)
        return report, 1
    except Exception:  # pylint: disable=broad-except
        report.failed = traceback.format_exc().splitlines()[-1]
        say(report, traceback.format_exc())
        return report, 1


def say(report, why):
    """What failed stands before the logs as well as behind them: whoever keeps only one end of a long
    output still learns it."""
    print(f"FAILED: {why}")
    print(report.tails)
    print(f"FAILED: {why}")


HEAD = """\
# Over Apache Kafka

What the rounds of `tests/kafka/` saw, in their long form: `tests/kafka/round.py all --deep --report
docs/over-apache-kafka.md`. A round that is played again replaces its section. What each claims, and how it
is judged: `tests/kafka/README.md`. Times are of a machine that did other work meanwhile; they tell order
and size, not speed.
"""


def write_page(path, played, options):
    """Sections of the rounds played now, and those of other rounds that the page has already."""
    sections = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            for part in f.read().split("\n## ")[1:]:
                sections[part.splitlines()[0]] = "## " + part.rstrip("\n") + "\n"
    for report, code in played:
        if code != 77:
            report.facts.insert(0, ("played", f"{time.strftime('%Y-%m-%d', time.gmtime())}, "
                                    f"{'long' if options.deep else 'short'} form, {os.cpu_count()} "
                                    f"processors, {platform.system()} {platform.machine()}, "
                                    f"Python {platform.python_version()}"))
            sections[report.title] = report.markdown()
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join([HEAD] + [sections[t] for t in ROUNDS.values() if t in sections]))


def main():
    options = arguments()
    played = []
    try:
        for name in options.rounds:
            played.append(play(name, options))
    finally:
        if options.report and played:
            write_page(options.report, played, options)
    codes = [code for _, code in played]
    return 1 if 1 in codes else 77 if 77 in codes else 0


if __name__ == "__main__":
    sys.exit(main())
