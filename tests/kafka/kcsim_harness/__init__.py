"""What the rounds in ../rounds are made of: processes, servers, faults on loopback, and checks.

    process      processes that always end, ports, waiting with a deadline
    report       steps with a deadline; a Markdown page at the end
    jute         ZooKeeper's protocol: an inspector of znodes, a session for a fake broker
    txnlog       what a ZooKeeper server wrote down: which session changed what
    zookeeper    a ZooKeeper server
    kafka        Apache Kafka's jars, brokers, tools
    controllers  the controller under test, ours or theirs, behind one face
    clients      producers and consumers that number their records
    fakebroker   brokers that only obey
    proxy        a TCP connection that can be cut and delayed
    checks       what must be true

Only Python's standard library is used.
"""
