"""The worker's end of the channel to the host: two threads, as gRPC has, so that a busy event loop holds up neither."""

import os
import queue
import socket
import threading
from collections.abc import Callable

from dev.wire import Decoder, Message, encode

READ_BYTES = 65536


class Channel:
    """Sends from any thread; calls `deliver` with each message, on a thread of its own."""

    def __init__(self, descriptor: int, deliver: Callable[[Message], object]) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._deliver = deliver
        self._outgoing: queue.SimpleQueue[Message] = queue.SimpleQueue()

    def open(self) -> None:
        """Start the two threads."""
        for name, work in (("host-reader", self._read), ("host-writer", self._write)):
            threading.Thread(name=name, target=work, daemon=True).start()

    def send(self, message: Message) -> None:
        """Queue a message; return at once."""
        self._outgoing.put(message)

    def _read(self) -> None:
        decoder = Decoder()
        try:
            while data := self._socket.recv(READ_BYTES):
                for message in decoder.feed(data):
                    self._deliver(message)
        except OSError:
            pass
        # The host has ended: nothing here may outlive it, whatever the event loop is busy with.
        os._exit(0)

    def _write(self) -> None:
        try:
            while True:
                self._socket.sendall(encode(self._outgoing.get()))
        except OSError:
            os._exit(0)
