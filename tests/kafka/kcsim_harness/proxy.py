"""A TCP connection to ZooKeeper that can be cut, frozen and delayed. Loopback only.

    cut()       what is open is closed, what comes is refused       (a reset, a restarting server)
    freeze()    what is open stays open, and no byte passes          (a cable pulled)
    delay(s)    every byte from the server arrives s seconds later   (a slow network; order kept)
    heal()      as it was
"""

import queue
import socket
import threading
import time

from .process import free_port


class Proxy:
    """Listens on a port of its own and passes on to `target` of 127.0.0.1."""

    def __init__(self, stage, target):
        self.target = target
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.open = True
        self.flowing = threading.Event()
        self.flowing.set()
        self.seconds = 0.0
        self.pairs = set()
        self.accepted = 0       # connections that were passed on
        self.refused = 0        # attempts while it was cut
        self.closed = False
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()
        stage.on_close(self.close)

    def cut(self):
        self.open = False
        self._drop()

    def freeze(self):
        self.flowing.clear()

    def delay(self, seconds):
        self.seconds = seconds

    def heal(self):
        self.seconds = 0.0
        self.open = True
        self.flowing.set()

    def close(self):
        self.closed = True
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.flowing.set()
        self._drop()

    def _drop(self):
        for pair in list(self.pairs):
            for s in pair:
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def _accept(self):
        while not self.closed:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if not self.open:
                self.refused += 1
                client.close()
                continue
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.target), 2)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        self.accepted += 1
        pair = (client, server)
        self.pairs.add(pair)
        for source, sink, slow in ((client, server, False), (server, client, True)):
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            line = queue.Queue()
            threading.Thread(target=self._take, args=(source, line, slow), daemon=True).start()
            threading.Thread(target=self._give, args=(line, sink, pair), daemon=True).start()

    def _take(self, source, line, slow):
        while True:
            try:
                data = source.recv(65536)
            except OSError:
                data = b""
            line.put((time.monotonic() + (self.seconds if slow else 0), data))
            if not data:
                return

    def _give(self, line, sink, pair):
        while True:
            due, data = line.get()
            time.sleep(max(0, due - time.monotonic()))
            self.flowing.wait()
            try:
                if not data:
                    raise OSError
                sink.sendall(data)
            except OSError:
                break
        self.pairs.discard(pair)
        for s in pair:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
