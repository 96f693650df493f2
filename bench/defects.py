#!/usr/bin/env python3
"""Which known defects of Kafka does chance alone find, with which check, and how fast?

For each defect of `kcsim explain defects`: the scenarios of scenarios/campaigns (kafka: 2.8-fixed) with
that one defect on, seeds in growing blocks, all scenarios in turn, until a violation that the replay
without the defect does not have (kcsim names the defect then). Prints a table for bench/README.md.

Usage: bench/defects.py PROGRAM [--seeds 10000] [--only NAME,…]
"""

import argparse
import glob
import json
import os
import subprocess
import tempfile
import time


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("--seeds", type=int, default=10000)
    parser.add_argument("--only", default="", help="names, with commas")
    return parser.parse_args()


def defects(program):
    lines = subprocess.run([program, "explain", "defects"], capture_output=True, text=True,
                           check=True).stdout.splitlines()
    return [line.split()[0] for line in lines if line.startswith(("KAFKA-", "kcsim-"))]


def campaign(program, file, first, last):
    """Returns the classes of what was not met with these seeds."""
    command = [program, "campaign", file, "--seeds", f"{first}..{last}", "--format", "json",
               "--allow-vacuous"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1, 2, 3, 70):
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)["classes"]


def blocks(seeds):
    """1..20, 21..100, 101..500, …"""
    first, size = 1, 20
    while first <= seeds:
        last = min(seeds, first + size - 1)
        yield first, last
        first, size = last + 1, size * 4


def with_defect(text, defect):
    return text.replace('kafka: "2.8-fixed"\n',
                        f'kafka: "2.8-fixed"\ndefects: {{{defect}: on}}\n')


def hunt(program, files, defect, seeds):
    """Returns (scenario, class, seed, runs, seconds) of the first violation of it, or None."""
    began, runs = time.monotonic(), 0
    for first, last in blocks(seeds):
        for name, text in files.items():
            path = f"{name}-{defect}.yaml"
            with open(path, "w", encoding="utf-8") as out:
                out.write(with_defect(text, defect))
            hits = [c for c in campaign(program, path, first, last)
                    if defect in c["defect"].split()]
            if hits:
                best = min(hits, key=lambda c: c["first_seed"])
                return (name, best["class"], best["first_seed"],
                        runs + best["first_seed"] - first + 1, time.monotonic() - began)
            runs += last - first + 1
    return None


def main():
    options = arguments()
    files = {}
    for path in sorted(glob.glob("scenarios/campaigns/*.yaml")):
        with open(path, encoding="utf-8") as source:
            files[os.path.basename(path)[:-5]] = source.read()
    found = 0
    names = [n for n in defects(options.program)
             if not options.only or n in options.only.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        print("| defect | found by | scenario | seed | runs | s |\n|---|---|---|---|---|---|")
        for defect in names:
            hit = hunt(options.program, files, defect, options.seeds)
            found += hit is not None
            if hit is None:
                print(f"| {defect} | not found | | | {options.seeds * len(files)} | |", flush=True)
            else:
                print(f"| {defect} | {hit[1]} | {hit[0]} | {hit[2]} | {hit[3]} | {hit[4]:.1f} |",
                      flush=True)
    print(f"{found} of {len(names)} found")


if __name__ == "__main__":
    main()
