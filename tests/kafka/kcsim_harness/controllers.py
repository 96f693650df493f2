"""A controller behind one face, ours or theirs.

    Ours     kcsim controller: no data, registered under its id
    Theirs   Apache Kafka's own, as a broker that holds no replica

Both can be started, ended, frozen and continued; both say in their logs what they did.
"""

import os

from . import kafka
from .process import Failure, Skip, free_port, text


class Controller:
    """What both have."""

    def mark(self):
        """Where its logs end now; for `since`."""
        return {path: len(text(path)) for path in self.logs()}

    def since(self, mark):
        """Lines that it has logged since."""
        return [line for path in self.logs() for line in text(path)[mark.get(path, 0):].splitlines()]

    def check_alive(self):
        if not self.process.alive():
            raise Failure(f"{self.name} ended with {self.process.child.returncode}: "
                          f"{text(self.process.log)[-1500:]}")


class Ours(Controller):
    """`kcsim controller`."""

    kind = "kcsim"

    def __init__(self, stage, program, number, zk_address, session_ms=6000, settings=None, name=None):
        if not program or not os.access(program, os.X_OK):
            raise Skip(f"no program kcsim at {program}: build it, or name it with --kcsim")
        self.stage = stage
        self.program = program
        self.id = number
        self.zk_address = zk_address
        self.session_ms = session_ms
        self.settings = {"inter.broker.protocol.version": "2.6", "auto.leader.rebalance.enable": "false",
                         "unclean.leader.election.enable": "false",
                         "kcsim.election.delay.ms": 0,     # it stands against Kafka's, who do not wait
                         **(settings or {})}
        self.name = name or f"kcsim-{number}"
        self.folder = stage.path(self.name)
        self.process = None
        self.port = free_port()

    def start(self):
        os.makedirs(self.folder, exist_ok=True)
        properties = os.path.join(self.folder, "server.properties")
        with open(properties, "w", encoding="utf-8") as f:
            f.writelines(f"{key}={value}\n" for key, value in self.settings.items())
        self.process = self.stage.start(self.name, [
            self.program, "controller", "--zookeeper", self.zk_address, "--id", str(self.id),
            "--listen", f"127.0.0.1:{self.port}", "--session-timeout", f"{self.session_ms}ms",
            "--properties", properties], self.folder)

    def logs(self):
        return [os.path.join(self.folder, "out.log")]


class Theirs(Controller):
    """Apache Kafka's controller."""

    kind = "Apache Kafka"

    def __init__(self, stage, number, zk_address, session_ms=6000, settings=None, name=None):
        self.id = number
        self.name = name or f"kafka-{number}"
        # No controlled shutdown: it holds no replica, and SIGTERM shall mean "go".
        self.broker = kafka.Broker(stage, number, zk_address,
                                   {"controlled.shutdown.enable": "false", **(settings or {})},
                                   session_ms, self.name, memory=512, state_log="TRACE")
        self.folder = self.broker.folder

    @property
    def process(self):
        return self.broker.process

    @property
    def port(self):
        return self.broker.port

    def start(self):
        self.broker.start(wait=False)

    def logs(self):
        return [self.broker.file(name) for name in ("controller.log", "state.log", "server.log")]


def make(kind, stage, number, zk_address, program=None, **more):
    """kind: kcsim or kafka."""
    if kind == "kcsim":
        return Ours(stage, program, number, zk_address, **more)
    return Theirs(stage, number, zk_address, **more)
