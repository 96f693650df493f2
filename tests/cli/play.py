#!/usr/bin/env python3
"""kcsim play: what the page asks for is done; what is saved plays again to the byte; strangers are refused.

Usage: play.py PROGRAM SOURCE_ROOT
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request

PROGRAM, ROOT = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
SCENARIO = "scenarios/clients/an-unclean-election-loses-exactly-these.yaml"


def check(good, what):
    if not good:
        raise SystemExit(f"play.py: {what}")


class Play:
    def __init__(self):
        self.process = subprocess.Popen([PROGRAM, "play", os.path.join(ROOT, SCENARIO), "--seed", "7"],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url = self.process.stdout.readline().strip()
        check(self.url.startswith("http://127.0.0.1:"), f"no address, but {self.url!r}")

    def get(self, path, **headers):
        request = urllib.request.Request(self.url + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def post(self, what, path="do", **headers):
        data = what if isinstance(what, bytes) else json.dumps(what).encode()
        request = urllib.request.Request(self.url + path, data=data, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def do(self, what, **more):
        status, state = self.post({"do": what, **more})
        check(status == 200 and "error" not in state, f"{what}: {status} {state}")
        return state

    def end(self):
        self.process.send_signal(signal.SIGINT)
        check(self.process.wait(timeout=30) == 0, f"exit code {self.process.returncode}")


class Watcher(threading.Thread):
    """Counts the events that come, keeps the last one, and asks each time for what is new to it."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.url, self.growths, self.refused = url, 0, 0
        self.stream = urllib.request.urlopen(url + "events", timeout=60)
        self.events, self.last = 0, None
        self.start()

    def run(self):
        for line in self.stream:
            if line.startswith(b"data: "):
                before, self.last = self.last, json.loads(line[6:])
                self.events += 1
                if before is not None:
                    self.grow(before)

    def grow(self, has):
        query = f"growth?version={has['version']}&records={has['records']}&strings=0"
        try:
            with urllib.request.urlopen(self.url + query, timeout=60) as answer:
                self.growths += answer.read().startswith(b"kcsim.growth/1\n")
        except urllib.error.HTTPError:
            self.refused += 1
        except OSError:
            pass  # the server has ended


def steps_until(play, time_us):
    """Next event by next event is slow: lets it run, and stands still there."""
    play.do("speed", value=1000)
    play.do("play")
    while True:
        state = play.do("speed", value=1000)
        if state["now"] >= time_us or state["over"]:
            return play.do("pause")


def records(play):
    return play.get("trace.ndjson")[1].splitlines()


def refusals(play):
    check(play.get("", Host="evil.example")[0] == 403, "a foreign host is answered")
    check(play.get("trace", Host="127.0.0.1")[0] == 403, "a host without our port is answered")
    check(play.post({"do": "step"}, Origin="http://evil.example")[0] == 403, "a foreign origin is answered")
    port = play.url.rsplit(":", 1)[1].rstrip("/")
    check(play.post({"do": "pause"}, Origin=f"http://localhost:{port}")[0] == 200, "our origin is refused")
    check(play.get("nothing")[0] == 404 and play.post({}, path="nothing")[0] == 404, "no 404")
    check(play.post(b"{")[0] == 400 and play.post(b"[]")[0] == 400, "what is no object is taken")
    check(play.post(b'{"do":"act","step":"' + b"x" * 70000 + b'"}')[0] == 413, "a long request is taken")
    for wrong in ({}, {"do": "fly"}, {"do": "speed", "value": 0}, {"do": "speed", "value": "fast"}, {"do": "act"},
                  {"do": "undo"}, {"do": "act", "step": "kil: 3"}, {"do": "act", "step": "kill: 99"},
                  {"do": "act", "step": "}\nsteps: ["}):
        status, said = play.post(wrong)
        check(status == 200 and said.get("error"), f"{wrong}: {status} {said}")
    check("did you mean 'kill'" in play.post({"do": "act", "step": "kil: 3"})[1]["error"], "no hint")


def same_again(play, folder):
    """Saved under its name and played again up to the same moment: the same records."""
    live = records(play)
    file = os.path.join(folder, os.path.basename(SCENARIO))
    with open(file, "wb") as out:
        out.write(play.get("scenario.yaml")[1])
    now = play.do("pause")["now"]
    subprocess.run([PROGRAM, "run", file, "--seed", "7", "--until", f"{now}us", "--trace", "t.ndjson",
                    "--output", "story"], cwd=folder, check=False)
    with open(os.path.join(folder, "t.ndjson"), "rb") as again:
        played = again.read().splitlines()
    check(len(played) >= len(live) > 100, f"{len(live)} records live, {len(played)} again")
    for number, (one, other) in enumerate(zip(live, played), 1):
        check(one == other, f"record {number}:\n{one.decode()}\n{other.decode()}")


def main():
    play = Play()
    try:
        all_of_it(play)
    finally:
        play.process.kill()  # nothing where it has ended


def all_of_it(play):
    with tempfile.TemporaryDirectory() as folder:
        check(b'name="kcsim-live"' in play.get("")[1], "the page is not a live one")
        refusals(play)
        watchers = [Watcher(play.url) for _ in range(3)]
        before = play.do("step")
        check(play.do("step")["records"] > before["records"], "a step leaves no record")

        steps_until(play, 6000000)
        at = play.do("pause")
        untouched = records(play)
        acted = play.do("act", step="{pause: 3, for: 2s}")
        check(acted["acts"] == ["{pause: 3, for: 2s}"] and acted["now"] == at["now"] + 1, f"{acted}")
        check(records(play)[1:len(untouched)] == untouched[1:], "an act has changed what was before it")
        steps_until(play, 9000000)
        play.do("act", step="expire: controller")
        steps_until(play, 15000000)
        same_again(play, folder)

        undone = play.do("undo")
        check(len(undone["acts"]) == 1 and undone["now"] >= 9000000, f"{undone}")
        undone = play.do("undo")
        check(undone["acts"] == [] and undone["now"] == at["now"], f"{undone}")
        check(records(play) == untouched, "undone is not as it was")
        end = steps_until(play, 10**12)
        check(end["over"] and not end["playing"], f"{end}")
        for watcher in watchers:
            check(watcher.growths > 3 and watcher.refused == 0, f"a watcher was told {watcher.growths} growths")
            check(watcher.events > 5 and watcher.last["version"] <= end["version"], "a watcher was told little")
        play.end()


main()
