#!/usr/bin/env python3
"""Which known defects of Kafka does chance alone find, with which check, and how fast?

For each defect of `kcsim explain defects`: the scenarios of scenarios/campaigns (kafka: 2.8-fixed) with
that one defect on and nothing else changed, seeds in blocks, all scenarios in turn, until a violation
that the replay without the defect does not have (kcsim names the defect then). A row is printed as soon
as it is known, as a table for bench/README.md; with --output it is kept, and another run goes on behind
it: what was found is not looked for again, what was not is looked for in the seeds behind.

Usage: bench/defects.py PROGRAM [--seeds 10000] [--only NAME,…] [--files NAME,…] [--output FILE] [--jobs N]
"""

import argparse
import glob
import json
import os
import subprocess
import tempfile
import time

BLOCKS = [20, 30, 50, 100, 200, 300, 300]  # then 500 each


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("--seeds", type=int, default=10000, help="of each scenario")
    parser.add_argument("--only", default="", help="defects, with commas")
    parser.add_argument("--files", default="", help="scenarios, with commas, in this order")
    parser.add_argument("--output", type=os.path.abspath, help="a file of results, read and appended to")
    parser.add_argument("--jobs", type=int, default=0, help="worker processes of a campaign")
    return parser.parse_args()


def defects(program):
    lines = subprocess.run([program, "explain", "defects"], capture_output=True, text=True,
                           check=True).stdout.splitlines()
    return [line.split()[0] for line in lines if line.startswith(("KAFKA-", "kcsim-"))]


def call(command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1, 2, 3, 70):
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)


def end_of(options, file):
    """Returns when runs of it are over that come to rest, and a little more: with a defect some never do."""
    ends = [call([options.program, "run", file, "--seed", str(seed), "--format", "json"])["runs"][0]["end_us"]
            for seed in range(1, 6)]
    return f"{max(ends) // 1000000 + 10}s"


def scenarios(options):
    """Returns {name: (text, when its runs are over)}."""
    files = {os.path.basename(path)[:-5]: path for path in sorted(glob.glob("scenarios/campaigns/*.yaml"))}
    texts = {}
    for name in options.files.split(",") if options.files else files:
        with open(files[name], encoding="utf-8") as source:
            texts[name] = (source.read(), end_of(options, files[name]))
    return texts


def campaign(options, file, until, first, last):
    """Returns the classes of what was not met with these seeds."""
    command = [options.program, "campaign", file, "--seeds", f"{first}..{last}", "--format", "json",
               "--allow-vacuous", "--until", until]
    if options.jobs:
        command += ["--jobs", str(options.jobs)]
    return call(command)["classes"]


def checked(options, file, until, seed):
    """A run that failed an expectation is told as that; returns the check that it violated, too, where the
    defect explains it, or None."""
    run = call([options.program, "run", file, "--seed", str(seed), "--until", until,
                "--format", "json"])["runs"][0]
    violations = run["checks"]["violations"]
    return violations[0]["check"] if violations and run["exit"] in (1, 2) else None


def hits(options, file, until, defect, first, last):
    """Returns [(seed, class)] of what the defect has broken."""
    found = []
    for kind in campaign(options, file, until, first, last):
        if defect in kind["defect"].split():
            found.append((kind["first_seed"], kind["class"]))
        elif kind["exit"] in (1, 2):
            check = checked(options, file, until, kind["first_seed"])
            if check is not None:
                found.append((kind["first_seed"], check))
    return found


def blocks(first, seeds):
    sizes = iter(BLOCKS)
    while first <= seeds:
        last = min(seeds, first + next(sizes, 500) - 1)
        yield first, last
        first = last + 1


def with_defect(text, defect):
    return text.replace('kafka: "2.8-fixed"\n',
                        f'kafka: "2.8-fixed"\ndefects: {{{defect}: on}}\n')


def hunt(options, files, defect, before):
    """Returns the result: {defect, seeds, runs, seconds} and, where it was found, {class, scenario, seed}."""
    began, runs, seconds = time.monotonic(), before.get("runs", 0), before.get("seconds", 0)
    done = before.get("seeds", {})
    result = {"defect": defect}
    for first, last in blocks(1 + min((done.get(name, 0) for name in files), default=0), options.seeds):
        for name, (text, until) in files.items():
            if done.get(name, 0) >= last:
                continue
            path = f"{name}-{defect}.yaml"
            with open(path, "w", encoding="utf-8") as out:
                out.write(with_defect(text, defect))
            found = hits(options, path, until, defect, first, last)
            if found:
                seed, kind = min(found)
                result.update({"class": kind, "scenario": name, "seed": seed})
                runs += seed - first + 1
                break
            runs += last - first + 1
            done = {**done, name: last}
        if "class" in result:
            break
    result.update({"seeds": done, "runs": runs, "seconds": round(seconds + time.monotonic() - began, 1)})
    return result


def row(result):
    if "class" in result:
        return (f"| {result['defect']} | {result['class']} | {result['scenario']} | {result['seed']} | "
                f"{result['runs']} | {result['seconds']:.1f} |")
    return f"| {result['defect']} | not found | | | {result['runs']} | |"


def earlier(path):
    known = {}
    if path and os.path.exists(path):
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                result = json.loads(line)
                known[result["defect"]] = result
    return known


def main():
    options = arguments()
    files = scenarios(options)
    known = earlier(options.output)
    names = [n for n in defects(options.program)
             if not options.only or n in options.only.split(",")]
    found = 0
    print("| defect | found by | scenario | seed | runs | s |\n|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for defect in names:
            result = known.get(defect, {})
            if "class" not in result:
                result = hunt(options, files, defect, result)
                if options.output:
                    with open(options.output, "a", encoding="utf-8") as out:
                        out.write(json.dumps(result) + "\n")
            found += "class" in result
            print(row(result), flush=True)
    print(f"{found} of {len(names)} found")


if __name__ == "__main__":
    main()
