"""A ZooKeeper server from Debian's package, on loopback, with its data in the stage's folder.

It can be stopped, killed and started again on the same port and data. Ticks are short, so that a
session of one second is possible; the log is not forced to disk, for nobody pulls the plug here (a
SIGKILL loses nothing that was written).
"""

import os
import shutil
import socket

from . import jute
from .process import Failure, Skip, free_port, until

JARS = ("zookeeper zookeeper-jute slf4j-api slf4j-nop netty-handler netty-common netty-buffer "
        "netty-transport netty-codec netty-resolver snappy-java metrics-core commons-io commons-cli "
        "netty-all").split()


def class_path():
    """Where the server is; Skip where it is not."""
    home = os.environ.get("KC_JARS", "/usr/share/java")
    found = [os.path.join(home, f"{jar}.jar") for jar in JARS]
    if not shutil.which("java"):
        raise Skip("no Java (Debian: default-jre-headless)")
    if not os.path.exists(found[0]):
        raise Skip("no ZooKeeper in /usr/share/java (Debian: zookeeper)")
    return ":".join(path for path in found if os.path.exists(path))


class ZooKeeper:
    """One standalone server."""

    def __init__(self, stage, tick_ms=500):
        self.stage = stage
        self.jars = class_path()
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.folder = stage.path("zookeeper")
        self.data = os.path.join(self.folder, "data")
        os.makedirs(self.data)
        self.process = None
        with open(os.path.join(self.folder, "zoo.cfg"), "w", encoding="ascii") as f:
            f.write(f"tickTime={tick_ms}\ndataDir={self.data}\nclientPort={self.port}\n"
                    "clientPortAddress=127.0.0.1\nmaxClientCnxns=0\nmaxSessionTimeout=60000\n"
                    "admin.enableServer=false\npreAllocSize=4096\n"
                    "4lw.commands.whitelist=srvr\n")
        self.start()

    def start(self):
        self.process = self.stage.start("zookeeper", [
            "java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            "-Dzookeeper.forceSync=no", "-Dzookeeper.snapCount=1000000",
            "-Djava.net.preferIPv4Stack=true", "-cp", self.jars,
            "org.apache.zookeeper.server.ZooKeeperServerMain", os.path.join(self.folder, "zoo.cfg"),
        ], self.folder)
        until("ZooKeeper answers", self._answers, 60)

    def _answers(self):
        if not self.process.alive():
            raise Failure("ZooKeeper ended")
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as s:
                s.sendall(b"srvr")
                return s.recv(64).startswith(b"Zookeeper version")
        except OSError:
            return False

    def version(self):
        with socket.create_connection(("127.0.0.1", self.port), 5) as s:
            s.sendall(b"srvr")
            return s.recv(200).decode().split(":")[1].split("-")[0].strip()

    def restart(self, kill=False):
        if kill:
            self.process.kill()
        else:
            self.process.stop()
        self.start()

    def client(self, timeout_ms=10000):
        """A session of its own; closed with the stage."""
        client = jute.Client(self.port, timeout_ms)
        self.stage.on_close(client.drop)
        return client
