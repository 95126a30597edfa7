"""A way for datagrams that can be cut, between two sides that take it for the other one."""

import re
import selectors
import socket
import threading
from typing import Final

_CANDIDATE: Final = re.compile(r"a=candidate:\S+ 1 udp \d+ (\d+\.\d+\.\d+\.\d+) (\d+) typ host")


class Relay:
    """Passes datagrams on between the gateway at *to* and whoever sends to :attr:`port` of the same address."""

    def __init__(self, to: tuple[str, int]) -> None:
        self._to = to
        self._outer = self._socket(to[0])
        self._inner = self._socket(to[0])
        self.port: int = self._outer.getsockname()[1]
        self._client: tuple[str, int] | None = None
        self._cut = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @staticmethod
    def _socket(host: str) -> socket.socket:
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((host, 0))
        return made

    def cut(self) -> None:
        """Pass on nothing any more, without telling anybody."""
        self._cut.set()

    def close(self) -> None:
        self._cut.set()
        self._thread.join()
        self._outer.close()
        self._inner.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for one in (self._outer, self._inner):
                selector.register(one, selectors.EVENT_READ)
            while not self._cut.is_set():
                for key, _ in selector.select(0.05):
                    self._pass_on(key.fileobj is self._outer)

    def _pass_on(self, from_client: bool) -> None:
        if from_client:
            data, self._client = self._outer.recvfrom(2_048)
            self._inner.sendto(data, self._to)
        elif self._client is not None:
            self._outer.sendto(self._inner.recv(2_048), self._client)


def host_of(answer: str) -> tuple[str, int]:
    """The first IPv4 address that an answer offers."""
    match = _CANDIDATE.search(answer)
    assert match is not None, "the gateway has no IPv4 address"
    return match[1], int(match[2])


def moved(answer: str, port: int) -> str:
    """*answer* with nothing but its first IPv4 address, at another *port*."""
    host, own = host_of(answer)
    kept = [
        line.replace(f" {host} {own} ", f" {host} {port} ")
        for line in answer.splitlines(keepends=True)
        if not line.startswith("a=candidate:") or f" {host} {own} " in line
    ]
    return "".join(kept)
