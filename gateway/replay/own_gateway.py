"""A gateway of our own, for a replay without ``--url``: a child process on loopback, whose data is thrown away."""

import asyncio
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from urllib.request import urlopen

from gateway.replay.errors import ReplayError

START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 5.0

USUAL: Final = "http://127.0.0.1:8080"
"""Where ``bargein serve`` listens when nothing else is said."""

_READY: Final = b"listening on "
_PIECE: Final = 1 << 16
_COMMAND: Final = (
    *(sys.executable, "-m", "gateway.cli", "serve", "--no-browser"),
    *("--host", "127.0.0.1", "--port", "0", "--token", "", "--data"),
)


@asynccontextmanager
async def own_gateway(command: Sequence[str] = _COMMAND, stop_timeout_s: float = STOP_TIMEOUT_S) -> AsyncIterator[str]:
    """Start a gateway (*command*, to which a data folder is added), give its URL, and stop it at the end.

    It is stopped as Ctrl-C would, and killed when that takes more than *stop_timeout_s*.
    Raises :class:`ReplayError` (``gateway_did_not_start``).
    """
    with TemporaryDirectory(prefix="bargein-replay-") as folder:
        data = str(Path(folder, "data"))
        process = await asyncio.create_subprocess_exec(*command, data, stdin=DEVNULL, stdout=PIPE, stderr=PIPE)
        assert process.stdout is not None, "asked for as pipes"
        assert process.stderr is not None, "asked for as pipes"
        # A pipe that nobody empties would in the end block the gateway.
        complaining = asyncio.create_task(_last_line(process.stderr))
        draining: asyncio.Task[str] | None = None
        try:
            url = await _listening(process.stdout, complaining)
            draining = asyncio.create_task(_last_line(process.stdout))
            yield url
        finally:
            await stop(process, stop_timeout_s)
            for task in (complaining, draining):
                if task is not None:
                    task.cancel()


async def usual_gateway(url: str = USUAL) -> str | None:
    """The address of a gateway that runs where one usually does; None when there is none."""

    def ask() -> bool:
        try:
            with urlopen(f"{url}/readyz", timeout=1) as answer:
                return b'"agent"' in answer.read(4096)
        except (OSError, ValueError):
            return False

    return url if await asyncio.to_thread(ask) else None


async def _last_line(stream: asyncio.StreamReader) -> str:
    """The last line that says something, once the stream has ended; of a long one only the end."""
    # By pieces: a line beyond the reader's limit would end the reading, and with a full pipe nobody notices an exit.
    kept = b""
    while piece := await stream.read(_PIECE):
        kept = (kept + piece).rstrip()[-_PIECE:]
    return kept.rpartition(b"\n")[2].decode(errors="replace").strip()


async def _listening(stdout: asyncio.StreamReader, complaining: asyncio.Task[str]) -> str:
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            async for line in stdout:
                _, found, url = line.partition(_READY)
                if found:
                    return url.decode().strip()
            why = await complaining or "it said nothing."
    except TimeoutError:
        why = f"it was not ready after {START_TIMEOUT_S:.0f} s."
    raise ReplayError("gateway_did_not_start", f"The gateway did not start: {why}")


async def stop(process: Process, timeout_s: float) -> None:
    """End *process* politely, or by force when it takes longer than *timeout_s*."""
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        async with asyncio.timeout(timeout_s):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
