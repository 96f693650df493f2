#!/usr/bin/env python3
"""Draws a scenario at random, for the recording harness and for `kcsim run FILE.scn`.

    draw.py SEED            brokers die, return and bounce; topics come, grow and go; ISRs change;
                            reassignments, elections, controlled shutdowns, failovers
    draw.py --faults SEED   the same with answers in error, broken connections, slow answers,
                            failed log directories, and deletions that need not end

The same seed draws the same scenario. Some steps may be impossible (a znode exists already); the
harness and kcsim then stop at the same line.
"""
import random
import sys

PLAIN = ["kill", "kill", "start", "start", "bounce", "topic", "add", "delete", "preferred",
         "reassign", "alter", "isr", "isr", "setisr", "shutdown", "move", "unclean"]
FAULTS = ["fault", "fault", "logdir", "znode", "nothing"]


def comma(ids):
    return ",".join(map(str, ids))


class Draw:
    def __init__(self, seed, faults):
        self.random = random.Random(seed)
        self.faults = faults
        self.ids = list(range(1, self.random.choice([4, 5, 6]) + 1))
        self.lines = [f"# random {seed}", f"brokers 1-{len(self.ids)}"]
        self.live, self.dead, self.topics, self.made = set(self.ids), set(), {}, 0

    def some(self, count):
        return self.random.sample(self.ids, count)

    def topic(self, name):
        count = self.random.randint(1, 3)
        assigned = {p: self.some(self.random.randint(1, 3)) for p in range(count)}
        self.topics[name] = assigned
        text = ";".join(f"{p}:{comma(ids)}" for p, ids in assigned.items())
        unclean = self.random.choice(["", " unclean.leader.election.enable=true"])
        self.lines.append(f"topic {name} assign={text}{unclean}")

    def partition(self):
        topic = self.random.choice(list(self.topics))
        return topic, self.random.choice(sorted(self.topics[topic]))

    def step(self, what):
        """Adds the lines of one step; False where nothing is to be waited for."""
        r, live, dead = self.random, self.live, self.dead
        if what == "kill" and len(live) > 1:
            count = r.choice([1, 1, 2]) if len(live) > 2 else 1
            gone = r.sample(sorted(live), count)
            live -= set(gone)
            dead |= set(gone)
            self.lines.append(f"kill {comma(gone)}")
        elif what == "start" and dead:
            back = r.choice(sorted(dead))
            dead.discard(back)
            live.add(back)
            self.lines.append(f"start {back}")
        elif what == "bounce" and live:
            self.lines.append(f"bounce {r.choice(sorted(live))}")
        elif what == "topic":
            self.made += 1
            self.topic(f"n{self.made}")
        elif what == "add" and self.topics:
            topic = r.choice(list(self.topics))
            number = max(self.topics[topic]) + 1
            ids = self.some(r.randint(1, 3))
            self.topics[topic][number] = ids
            self.lines.append(f"add-partitions {topic} assign={number}:{comma(ids)}")
        elif what == "delete" and len(self.topics) > 1 and (self.faults or not dead):
            topic = r.choice(list(self.topics))
            del self.topics[topic]
            self.lines.append(f"delete-topic {topic}")
            if not self.faults:
                self.lines.append(f"wait-gone /admin/delete_topics/{topic}")
        elif what == "preferred" and self.topics:
            topic = r.choice(list(self.topics))
            chosen = r.sample(sorted(self.topics[topic]), r.randint(1, len(self.topics[topic])))
            self.lines.append("preferred " + " ".join(f"{topic}:{p}" for p in chosen))
        elif what == "alter" and self.topics:
            topic, p = self.partition()
            to = r.choice(["cancel", comma(self.some(r.randint(1, 3)))])
            self.lines.append(f"alter-reassign {topic}:{p}={to}")
        elif what == "reassign" and self.topics:
            topic, p = self.partition()
            self.lines.append(f"alter-reassign {topic}:{p}={comma(self.some(r.randint(1, 3)))}")
        elif what == "znode" and self.topics:
            topic, p = self.partition()
            self.lines.append(f"reassign {topic}:{p}={comma(self.some(r.randint(1, 3)))}")
        elif what in ("isr", "setisr") and self.topics:
            topic, p = self.partition()
            verb = "isr" if what == "isr" else "set-isr"
            self.lines.append(f"{verb} {topic}:{p}={comma(self.some(r.randint(1, 4)))}")
        elif what == "shutdown" and live:
            self.lines.append(f"controlled-shutdown {r.choice(sorted(live))}")
        elif what == "move":
            self.lines += ["controller delete-znode", "wait-controller 0"]
        elif what == "fault" and live:
            broker = r.choice(sorted(live))
            api = r.choice(["LeaderAndIsr", "StopReplica", "UpdateMetadata", "any"])
            how = r.choice(["error=11", "error=77", "perror=56", "perror=74", "drop count=1",
                            "delay=300ms count=2"])
            self.lines.append(f"fault {broker} {api} {how}")
            return False
        elif what == "logdir" and live and self.topics:
            broker = r.choice(sorted(live))
            topic, p = self.partition()
            self.lines += [f"fault {broker} LeaderAndIsr perror=56 tp={topic}-{p}",
                           f"log-dir-failure {broker}", "wait", f"fault {broker} off"]
        elif what == "unclean" and self.topics:
            topic = r.choice(list(self.topics))
            self.lines.append(f"config {topic} unclean.leader.election.enable=true")
        else:
            return False
        return True

    def scenario(self):
        self.topic("a")
        self.topic("b")
        self.lines += ["controller start 0", "wait-controller 0", "wait"]
        steps = PLAIN + FAULTS if self.faults else PLAIN
        for _ in range(self.random.randint(9, 13)):
            if self.step(self.random.choice(steps)):
                self.lines.append("wait")
        return "\n".join(self.lines)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    with_faults = "--faults" in arguments
    numbers = [a for a in arguments if a != "--faults"]
    if len(numbers) != 1 or not numbers[0].isdigit():
        sys.exit(__doc__)
    print(Draw(int(numbers[0]), with_faults).scenario())
