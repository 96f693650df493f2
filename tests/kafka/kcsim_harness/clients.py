"""Producers and consumers that number their records, and the verdict on what they saw.

    librdkafka   ../steady.c, idempotent, acks=all
    Java         ../Steady.java, the same over Kafka's own client, compiled in place
    kcat         Debian's; numbers are fed to its standard input

A producer's log has a line per acknowledged record, a consumer's a line per record read. At the end
everything in the topic is read back and judged (`judge`): every acknowledged number is there, none is
there twice, and in a partition numbers rise.
"""

import collections
import os
import shutil
import subprocess
import threading
import time

from . import kafka
from .process import Failure, Skip, text, until


def build(stage, report):
    """{"librdkafka": argv, "Java": argv}: what could be built here."""
    folder = stage.path("clients")
    os.makedirs(folder, exist_ok=True)
    made = {}
    cc = shutil.which("cc") or shutil.which("gcc")
    program = os.path.join(folder, "steady")
    if not shutil.which("kcat"):
        raise Skip("no kcat (Debian: kcat)")
    if not cc or subprocess.run([cc, "-O1", "-o", program, os.path.join(kafka.HERE, "steady.c"),
                                 "-lrdkafka"], stderr=subprocess.DEVNULL, check=False).returncode:
        raise Skip("no librdkafka to build a client with (Debian: librdkafka-dev)")
    made["librdkafka"] = [program]
    if shutil.which("javac"):
        subprocess.run(["javac", "-cp", f"{kafka.libs()}/*", "-d", folder,
                        os.path.join(kafka.HERE, "Steady.java")], check=True)
        made["Java"] = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx96m",
                        "-Djava.net.preferIPv4Stack=true", "-cp", f"{folder}:{kafka.libs()}/*", "Steady"]
    else:
        report.fact("Java client", "left out: no javac (Debian: default-jdk-headless)")
    return made


class Client:
    """One producer or consumer under way."""

    def __init__(self, stage, name, argv, log):
        self.name, self.log = name, log
        self.process = stage.start(name, argv)

    def lines(self):
        """Fields of each line; the last may be under way."""
        return [line.split() for line in text(self.log).rpartition("\n")[0].splitlines()]

    def count(self):
        return text(self.log).count("\n")

    def check_alive(self):
        if not self.process.alive():
            raise Failure(f"{self.name} ended with {self.process.child.returncode}: "
                          f"{text(self.process.log)[-600:]}")

    def stop(self):
        """SIGTERM; Failure unless it ends well."""
        if not self.process.stop(150) or self.process.child.returncode != 0:
            raise Failure(f"{self.name} did not end well ({self.process.child.returncode}): "
                          f"{text(self.process.log)[-600:]}")


def producer(stage, name, argv, servers, topic, partitions, rate):
    """acknowledged(): {number} of what it was told is safe."""
    log = stage.path(f"{name}.acknowledged")
    client = Client(stage, name, argv + ["produce", servers, topic, str(partitions), str(rate), log], log)
    client.acknowledged = lambda: {int(line[0]) for line in client.lines()}
    return client


def consumer(stage, name, argv, servers, topic, group):
    log = stage.path(f"{name}.read")
    client = Client(stage, name, argv + ["consume", servers, topic, group, log], log)
    client.numbers = lambda: [int(line[2]) for line in client.lines() if len(line) == 3]
    return client


def kcat_consumer(stage, name, servers, topic, group):
    """The same by kcat."""
    argv = ["kcat", "-q", "-u", "-b", servers, "-X", "auto.offset.reset=earliest",
            "-X", "session.timeout.ms=10000", "-f", "%p %o %s\\n", "-G", group, topic]
    client = Client(stage, name, argv, os.path.join(stage.path(name), "out.log"))
    client.numbers = lambda: [int(line[2]) for line in client.lines()
                              if len(line) == 3 and line[2].isdigit()]
    return client


class KcatProducer:
    """kcat with numbers on its standard input. It says only at the end whether all were delivered."""

    def __init__(self, stage, name, servers, topic, rate):
        self.name = name
        argv = ["kcat", "-P", "-b", servers, "-t", topic, "-X", "enable.idempotence=true",
                "-X", "acks=all", "-X", "message.timeout.ms=2147483647", "-X", "linger.ms=20"]
        self.process = stage.start(name, argv, stdin=subprocess.PIPE)
        self.sent = 0
        self.rate = rate
        self.ending = False
        self.thread = threading.Thread(target=self._feed, daemon=True)
        self.thread.start()

    def _feed(self):
        while not self.ending:
            try:
                self.process.child.stdin.write(b"%d\n" % self.sent)
                self.process.child.stdin.flush()
            except OSError:
                return
            self.sent += 1
            time.sleep(1 / self.rate)

    def count(self):
        return self.sent

    def check_alive(self):
        if not self.process.alive():
            raise Failure(f"{self.name} ended: {text(self.process.log)[-600:]}")

    def stop(self):
        self.ending = True
        self.thread.join()
        self.process.child.stdin.close()
        try:
            code = self.process.child.wait(150)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} still has undelivered records") from None
        if code or "Delivery failed" in text(self.process.log):
            raise Failure(f"{self.name} ended with {code}: {text(self.process.log)[-600:]}")

    def acknowledged(self):
        return set(range(self.sent))


def read_back(servers, topic, seconds=90):
    """Everything in a topic, by kcat: [(partition, offset, text)]"""
    done = subprocess.run(["kcat", "-C", "-q", "-e", "-b", servers, "-t", topic, "-o", "beginning",
                           "-f", "%p %o %s\\n"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=seconds, check=False)
    if done.returncode:
        raise Failure(f"kcat could not read {topic}: {done.stderr.decode()[-400:]}")
    rows = [line.split(" ", 2) for line in done.stdout.decode().splitlines()]
    return [(int(p), int(o), value) for p, o, value in rows]


Verdict = collections.namedtuple("Verdict", "acknowledged found lost repeated disordered")


def judge(acknowledged, rows):
    """Verdict on [(partition, offset, number as text)] in the order read."""
    seen = collections.Counter(int(value) for _, _, value in rows)
    newest, disordered = {}, 0
    for partition, _, value in sorted(rows, key=lambda r: (r[0], r[1])):
        disordered += int(value) <= newest.get(partition, -1)
        newest[partition] = int(value)
    return Verdict(len(acknowledged), len(rows), sorted(acknowledged - seen.keys()),
                   sorted(n for n, times in seen.items() if times > 1), disordered)


def require(name, verdict):
    if verdict.lost or verdict.repeated or verdict.disordered:
        raise Failure(f"{name}: of {verdict.acknowledged} acknowledged {len(verdict.lost)} lost "
                      f"{verdict.lost[:5]}, {len(verdict.repeated)} repeated {verdict.repeated[:5]}, "
                      f"{verdict.disordered} out of order")
    return verdict


def wait_read(client, acknowledged, seconds):
    """Waits until a consumer that was there all the time has read everything acknowledged."""

    def all_read():
        missing = acknowledged - set(client.numbers())
        if missing:
            raise Failure(f"{client.name} has not read {len(missing)} numbers, first {min(missing)}")
        return True

    until(f"{client.name} has read all", all_read, seconds, 0.5)
