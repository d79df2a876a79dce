"""A proxy before a server, as the address that moves with a failover."""

import socket
import threading
from contextlib import suppress

from .servers import free_port


class Proxy:
    """Passes on what comes to its port to that of a server."""

    def __init__(self, target: int) -> None:
        self.target, self.port = target, free_port()
        #: Whether what comes is lost.
        self.drops = False
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(('127.0.0.1', self.port), backlog=128)
        threading.Thread(target=self._accept, daemon=True).start()

    def switch(self, target: int) -> None:
        """Pass on to another server; the connections to the one before it are cut."""
        self.target, self.drops = target, False
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def kill(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                try:
                    server = socket.create_connection(('127.0.0.1', self.target), timeout=5)
                except OSError:
                    client.close()
                    continue
                server.settimeout(None)
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        self._open.add(source)
        with suppress(OSError):
            while data := source.recv(65536):
                if not self.drops:
                    target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._open.discard(source)
