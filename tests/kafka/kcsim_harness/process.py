"""Processes that always end.

A round owns one Stage: a temporary folder and every process that was started in it. Whatever happens
(success, failure, SIGINT, SIGTERM, even SIGKILL of the harness itself) no process outlives it:

  - `with Stage() as stage` kills all that still run, by pid, newest first;
  - the children ask the kernel to be killed when the thread that made them ends (setpriv), therefore
    all are started from the main thread.

Waiting is always `until(what, test, seconds)`: it says what it waited for, and what it saw last.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time


class Failure(Exception):
    """What was claimed is not so."""


class Skip(Exception):
    """Something that the round needs is missing on this machine."""


def until(what, test, seconds, every=0.05):
    """Waits until test() is true and returns what it returned; Failure after that many seconds.

    test may raise Failure to say "not yet, because"."""
    end = time.monotonic() + seconds
    while True:
        seen = None
        try:
            seen = test()
            if seen:
                return seen
        except Failure as why:
            seen = why
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {seconds:g} s; last seen: {seen!s:.600}")
        time.sleep(every)


_ports = set()


def free_port():
    """A port that nobody has now, below those that the kernel hands out to clients: a broker that is
    started again must find its port free."""
    while True:
        port = random.SystemRandom().randrange(12000, 32000)
        if port in _ports:
            continue
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
        _ports.add(port)
        return port


def tail(path, lines=12):
    """The last lines of a file, cut at 300 characters; "" where there is none."""
    try:
        with open(path, "rb") as f:
            f.seek(0, os.SEEK_END)
            f.seek(max(0, f.tell() - 64 * 1024))
            end = f.read().decode(errors="replace").splitlines()[-lines:]
            return "\n".join(line[:300] for line in end)
    except OSError:
        return ""


def text(path):
    """The whole of a file, "" where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


_tick = os.sysconf("SC_CLK_TCK")


class Process:
    """One child in a session of its own; output goes to FOLDER/out.log."""

    def __init__(self, name, argv, folder, env=None, stdin=subprocess.DEVNULL):
        os.makedirs(folder, exist_ok=True)
        self.name = name
        self.folder = folder
        self.log = os.path.join(folder, "out.log")
        wrap = ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(wrap + argv, stdin=stdin, stdout=log, stderr=log, cwd=folder,
                                          env={**os.environ, **(env or {})}, start_new_session=True)
        self.pid = self.child.pid

    def alive(self):
        return self.child.poll() is None

    def signal(self, number):
        """To its whole session, as long as it has not been waited for."""
        if self.alive():
            os.killpg(self.pid, number)

    def pause(self):
        self.signal(signal.SIGSTOP)

    def resume(self):
        self.signal(signal.SIGCONT)

    def kill(self):
        """SIGKILL, at once."""
        self.signal(signal.SIGKILL)
        self.child.wait()

    def stop(self, seconds=30):
        """SIGTERM; SIGKILL where that does not end it in time. Returns whether SIGTERM was enough."""
        self.resume()
        self.signal(signal.SIGTERM)
        try:
            self.child.wait(seconds)
            return True
        except subprocess.TimeoutExpired:
            self.kill()
            return False

    def cpu_seconds(self):
        """Processor time that it has used."""
        try:
            with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / _tick
        except OSError:
            return 0.0


class Stage:
    """A folder and the processes in it."""

    def __init__(self, keep=False):
        self.keep = keep
        self.folder = tempfile.mkdtemp(prefix="kcsim-kafka-")
        self.processes = []
        self.closers = []

    def __enter__(self):
        def ended(number, _frame):
            raise SystemExit(128 + number)

        signal.signal(signal.SIGTERM, ended)
        signal.signal(signal.SIGHUP, ended)
        return self

    def __exit__(self, kind, _value, _trace):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # nothing may stop the tidying up
        for close in reversed(self.closers):
            try:
                close()
            except Exception as why:  # pylint: disable=broad-except
                print(f"while closing: {why}")
        for process in reversed(self.processes):
            process.kill()
        if self.keep:
            print(f"kept: {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def start(self, name, argv, folder=None, **more):
        process = Process(name, argv, folder or self.path(name), **more)
        self.processes = [p for p in self.processes if p.alive()] + [process]
        return process

    def on_close(self, close):
        """close() is called at the end, before the processes are killed."""
        self.closers.append(close)

    def tails(self):
        """The ends of all logs, for a failure's report."""
        out = []
        for base, _, files in sorted(os.walk(self.folder)):
            for name in sorted(files):
                if name.endswith(".log") and ".log." not in name and "version-2" not in base:
                    path = os.path.join(base, name)
                    end = tail(path)
                    if end and not name.startswith("0000"):
                        out.append(f"--- {os.path.relpath(path, self.folder)}\n{end}")
        return "\n".join(out)
