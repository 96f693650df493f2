"""The steps of a round: said while they run, and written as a page at the end.

    with report.step("the leader of t-0 is killed") as step:
        …
        step.note("leader 2 -> 3 in 6.4 s")

A step that raises ends the round. What must hold after every step (who holds /controller, for one) is
registered once with `report.always`.
"""

import contextlib
import time

from .process import Failure


class Step:
    """One line of the page."""

    def __init__(self, title, began):
        self.title = title
        self.began = began
        self.seconds = 0.0
        self.notes = []
        self.passed = False

    def note(self, line):
        self.notes.append(line)
        print(f"           . {line}", flush=True)


class Report:
    """A round's steps, facts and figures."""

    def __init__(self, title):
        self.title = title
        self.began = time.monotonic()
        self.facts = []
        self.steps = []
        self.invariants = []
        self.tables = []
        self.failed = None
        self.soft = []

    def fact(self, name, value):
        self.facts.append((name, value))
        print(f"           {name}: {value}", flush=True)

    def always(self, check):
        """check() is called after every step and raises Failure where its claim is broken."""
        self.invariants.append(check)

    def table(self, title, head, rows):
        self.tables.append((title, head, rows))
        print(f"           {title}")
        for row in [head] + rows:
            print("             " + "  ".join(str(cell) for cell in row), flush=True)

    @contextlib.contextmanager
    def step(self, title, soft=False):
        """soft: a Failure is kept, the round goes on, and `verdict` raises it."""
        step = Step(title, time.monotonic() - self.began)
        self.steps.append(step)
        print(f"{step.began:7.1f} s  {title}", flush=True)
        try:
            yield step
            for check in self.invariants:
                check()
            step.passed = True
        except Failure as why:
            self.failed = f"{title}: {why}"
            if not soft:
                raise
            self.soft.append(self.failed)
            step.note(f"FAILED: {why}")
        finally:
            step.seconds = time.monotonic() - self.began - step.began

    def verdict(self):
        """Raises what soft steps kept."""
        if self.soft:
            self.failed = "; ".join(self.soft)
            raise Failure(f"{len(self.soft)} steps failed: {self.failed}")

    def markdown(self):
        """The page's section."""
        verdict = f"**Failed**: {self.failed}" if self.failed else "Every step passed."
        out = [f"## {self.title}", "", f"{verdict} {time.monotonic() - self.began:.0f} s.", ""]
        out += [f"* {name}: {value}" for name, value in self.facts] + [""]
        out += ["| at, s | took, s | step | what was seen |", "|---:|---:|---|---|"]
        for s in self.steps:
            mark = "" if s.passed else "**failed** "
            out.append(f"| {s.began:.1f} | {s.seconds:.1f} | {mark}{s.title} | {'; '.join(s.notes)} |")
        for title, head, rows in self.tables:
            out += ["", f"### {title}", "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
            out += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
        return "\n".join(out) + "\n"
