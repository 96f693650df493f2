#!/usr/bin/env python3
"""Makes kafka-2.8.2.txt anew: starts Debian's ZooKeeper and three brokers of Apache Kafka 2.8.2, and has
Recorder.java put its requests to broker 0. Its jars: see ../../kafka/README.md.

usage: record.py [OUT]
"""

import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "kafka"))

from kcsim_harness import kafka  # noqa: E402
from kcsim_harness.process import Stage  # noqa: E402
from kcsim_harness.zookeeper import ZooKeeper  # noqa: E402

# log.dirs: within the broker's own folder, so that no path of this machine is recorded
SETTINGS = {"log.retention.hours": 24, "num.io.threads": 3, "log.dirs": "data"}


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "kafka-2.8.2.txt")
    with Stage(False) as stage:
        server = ZooKeeper(stage)
        brokers = [kafka.Broker(stage, n, server.address, SETTINGS) for n in range(3)]
        for broker in brokers:  # one after another, so that 0 is the controller
            broker.start()
        raw = stage.path("raw.txt")
        jars = f"{kafka.libs()}/*"
        subprocess.run(["javac", "-cp", jars, "-d", stage.path("."), os.path.join(HERE, "Recorder.java")],
                       check=True, timeout=300)
        subprocess.run(["java", "-Djava.net.preferIPv4Stack=true", "-cp", f"{stage.path('.')}:{jars}",
                        "Recorder", str(brokers[0].port), raw], check=True, timeout=600)
        with open(brokers[0].file("server.properties"), encoding="utf-8") as f:
            properties = [line for line in f if not re.match("listeners|log.dirs|zookeeper.connect=", line)]
        with open(raw, encoding="utf-8") as f, open(out, "w", encoding="utf-8") as o:
            o.write("Requests put to broker 0 of three of Apache Kafka 2.8.2, and its answers; made by record.py.\n")
            o.writelines("= " + line for line in properties)
            o.write("\n" + f.read())


if __name__ == "__main__":
    main()
