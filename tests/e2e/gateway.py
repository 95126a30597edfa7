"""A gateway as a process of its own, which can be killed and started again on the same port and data.

``gateway.replay.own_gateway`` is the asynchronous one for who needs only an address.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

STOP_TIMEOUT_S: Final = 10.0

_READY: Final = "listening on "


class Gateway:
    """``bargein serve`` on loopback with its log in *folder*. *options* are added to the command."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    @property
    def port(self) -> int:
        """The port it listens on, once it was started; 0 before."""
        return int(self.url.rpartition(":")[2]) if self.url else 0

    def start(self) -> None:
        """Start it, on the port it had before if any, and wait until it listens."""
        command = (sys.executable, "-m", "gateway.cli", "serve", "--no-browser", "--port", str(self.port))
        with (self._folder / "stderr").open("a") as stderr:
            self._process = subprocess.Popen(
                (*command, "--data", str(self._folder / "data"), *self._options),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        stdout = self._process.stdout
        assert stdout is not None, "it was asked for as a pipe"
        for line in stdout:
            _, found, url = line.partition(_READY)
            if found:
                self.url = url.strip()
                return
        raise AssertionError(f"the gateway did not start: {(self._folder / 'stderr').read_text()}")

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as Ctrl-C would; harmless when it does not run."""
        self._end(signal.SIGINT)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.communicate(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise


@contextmanager
def gateway(folder: Path, *options: str) -> Iterator[Gateway]:
    """A running gateway, stopped at the end."""
    running = Gateway(folder, *options)
    running.start()
    try:
        yield running
    finally:
        running.stop()
