"""An engine in a process of its own, as the gateway sees it: calls go in, their answers come out.

The process is started by the first call (or :meth:`Worker.warm_up`) and again by the first one after it died. It
cannot outlive the gateway, whose end closes its standard input.
"""

import asyncio
import itertools
import os
import site
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from media.speech import SpeechError
from media.speech.pipe import Decoder, Frame, FrameError, Kind, encode

LOAD_TIMEOUT_S: Final = 30.0
ANSWER_TIMEOUT_S: Final = 15.0
BACKLOG_BYTES: Final = 8 << 20
"""Sound that may wait in front of a process that does not read (four minutes); more is dropped, newest first."""

_READ_BYTES: Final = 1 << 18


class Call:
    """One text to speak or one utterance to recognise. Belongs to the event loop it was made in."""

    def __init__(self, child: "_Child", number: int) -> None:
        self._child = child
        self._number = number
        # Unbounded, because the process serves other calls too and must not wait for this one's reader.
        # Whoever opens a call bounds what it can answer. None: the call has failed.
        self._answers: asyncio.Queue[Frame | None] = asyncio.Queue()
        self._failure = ("engine_failed", "")
        self._over = False

    def send(self, kind: Kind, body: bytes = b"") -> None:
        """Tell the engine something. Never blocks; dropped once the call is over."""
        if not self._over:
            self._child.write(Frame(kind, self._number, body))

    async def receive(self, timeout_s: float = ANSWER_TIMEOUT_S) -> Frame:
        """The engine's next frame; the last one is of kind ``FINISH``. One task at a time.

        Raises :class:`SpeechError` when the engine cannot be loaded, falls silent or dies; the call is over then.
        """
        if not self._child.settled.is_set():
            timeout_s = max(timeout_s, LOAD_TIMEOUT_S)
        try:
            async with asyncio.timeout(timeout_s):
                frame = await self._answers.get()
        except TimeoutError:
            self._give_up("engine_timeout", f"The speech engine did not answer within {timeout_s:g} s.")
            self._child.end_if_silent_for(timeout_s)
            frame = None
        if frame is None:
            self._answers.put_nowait(None)
            raise SpeechError(*self._failure)
        return frame

    def cancel(self) -> None:
        """Forget the call, which fails for whoever waits for it. Harmless when it is over."""
        self._give_up("engine_failed", "The call was cancelled.")

    def deliver(self, frame: Frame) -> None:
        """Take a frame from the engine."""
        if frame.kind is Kind.FINISH:
            self._leave()
        self._answers.put_nowait(frame)

    def fail(self, code: str, message: str) -> None:
        """End the call. What the engine said before can still be received."""
        self._failure = code, message
        self._leave()
        self._answers.put_nowait(None)

    def _give_up(self, code: str, message: str) -> None:
        if not self._over:
            self.send(Kind.CANCEL)
            self.fail(code, message)

    def _leave(self) -> None:
        self._over = True
        self._child.calls.pop(self._number, None)


class Worker:
    """Runs ``python -m module arguments…`` and shares it among calls. ``name`` is for messages a person reads."""

    def __init__(self, name: str, module: str, *arguments: str) -> None:
        self._name = name
        # Without -P a file in the working directory could stand in for a module of the engine.
        self._command = (sys.executable, "-P", "-m", module, *arguments)
        self._numbers = itertools.count(1)
        self._child: _Child | None = None
        self._closed = False

    def call(self, body: bytes = b"") -> Call:
        """Begin a call. Never blocks and never fails: :meth:`Call.receive` tells what went wrong."""
        child = self._running()
        number = next(self._numbers)
        call = child.calls[number] = Call(child, number)
        if child.failure:
            call.fail(*child.failure)
        call.send(Kind.OPEN, body)
        return call

    async def warm_up(self) -> None:
        """Start the process and wait until its engine is loaded. Raises :class:`SpeechError`."""
        await self._running().load()

    async def aclose(self) -> None:
        """End the process and every call. Calling it twice is harmless; calls that follow fail."""
        self._closed = True
        if self._child is not None:
            await self._child.aclose()

    def _running(self) -> "_Child":
        if self._child is None or (self._child.failure and not self._closed):
            self._child = _Child(self._name)
            if self._closed:
                self._child.end("engine_unavailable", f"{self._name} was stopped.")
            else:
                self._child.start(self._command)
        return self._child


class _Child:
    """One run of the process. It is killed when it is to end: an engine keeps nothing worth a farewell.

    The socket is read by callbacks, and asyncio's own subprocesses are not used: on CPython 3.11 one whose start is
    cancelled, as the end of the event loop does, is never reported to have ended, and shutting down hangs.
    """

    def __init__(self, name: str) -> None:
        self.calls: dict[int, Call] = {}
        self.failure: tuple[str, str] | None = None
        """Code and message of what befell its calls when the process ended."""

        self.settled = asyncio.Event()
        """The engine is loaded, or never will be."""

        self._name = name
        self._loop = asyncio.get_running_loop()
        self._socket, self._theirs = socket.socketpair()
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: asyncio.Task[bool] | None = None
        self._decoder = Decoder()
        self._unsent = bytearray()
        self._heard_at = self._loop.time()

    def start(self, command: Sequence[str]) -> None:
        """Start the process."""
        theirs = self._theirs.fileno()
        try:
            # A session of its own keeps the terminal's Ctrl-C away even before the engine can ignore it.
            self._process = subprocess.Popen(
                command,
                stdin=theirs,
                stdout=theirs,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,
            )
        except OSError:
            self.end("engine_unavailable", f"{self._name} cannot be started.")
            return
        self._theirs.close()
        self._socket.setblocking(False)
        self._loop.add_reader(self._socket, self._read)
        # The end of the event loop cancels every task: this one takes the process along.
        self._guard = asyncio.create_task(asyncio.Event().wait(), name=f"process of {self._name}")
        self._guard.add_done_callback(lambda _: self.end("engine_unavailable", f"{self._name} was stopped."))

    async def load(self) -> None:
        """Wait until the engine is loaded. Raises :class:`SpeechError`."""
        try:
            async with asyncio.timeout(LOAD_TIMEOUT_S):
                await self.settled.wait()
        except TimeoutError:
            self.end("engine_timeout", f"{self._name} did not load within {LOAD_TIMEOUT_S:g} s.")
        if self.failure:
            raise SpeechError(*self.failure)

    def write(self, frame: Frame) -> None:
        """Send a frame. Never blocks."""
        if not self.failure and (frame.kind is not Kind.SOUND or len(self._unsent) < BACKLOG_BYTES):
            self._unsent += encode(frame)
            self._send()

    def end_if_silent_for(self, silent_s: float) -> None:
        """End a process that seems to hang; its calls fail, and the next one starts another."""
        if self._loop.time() - self._heard_at >= silent_s:
            self.end("engine_timeout", f"{self._name} hung.")

    def end(self, code: str, message: str) -> None:
        """End the process, and with it every call. Harmless when it has ended."""
        if self.failure:
            return
        self.failure = code, message
        if self._process is not None:
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._process.kill()
            self._process.wait()
        self._socket.close()
        self._theirs.close()
        if self._guard is not None:
            self._guard.cancel()
        for call in list(self.calls.values()):
            call.fail(code, message)
        self.settled.set()

    async def aclose(self) -> None:
        """End the process."""
        self.end("engine_unavailable", f"{self._name} was stopped.")
        if self._guard is not None and not self._guard.done():
            await asyncio.wait({self._guard})

    def _read(self) -> None:
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.end("engine_failed", f"{self._name} broke down.")
            return
        self._heard_at = self._loop.time()
        try:
            for frame in self._decoder.feed(data):
                self._take(frame)
        except FrameError:
            self.end("engine_failed", f"{self._name} answered nonsense.")

    def _take(self, frame: Frame) -> None:
        if frame.kind is Kind.READY:
            self.settled.set()
        elif frame.kind is Kind.REFUSE:
            self.end("engine_unavailable", frame.body.decode("utf-8", "replace"))
        elif call := self.calls.get(frame.call):
            call.deliver(frame)

    def _send(self) -> None:
        try:
            del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError:
            # Nobody reads any more. What was said before is still to be read, and then the end.
            self._unsent.clear()
        if self._unsent:
            self._loop.add_writer(self._socket, self._send)
        else:
            self._loop.remove_writer(self._socket)


def _environment() -> dict[str, str]:
    """The engine finds the package where this process found it, and computes on one thread."""
    root = str(Path(__file__).parents[2])
    paths = [path for path in (root, os.environ.get("PYTHONPATH", "")) if path and path not in site.getsitepackages()]
    return {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
