"""Servers as processes of their own, and what the kernel knows about a process."""

import asyncio
import os
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Final

from benchmarks.common import ROOT
from gateway.replay.own_gateway import stop

START_TIMEOUT_S: Final = 300.0  # the first start of a large package compiles it
STOP_TIMEOUT_S: Final = 10.0
_READY: Final = b"listening on "
_TICK: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs."""

    url: str
    pid: int


@asynccontextmanager
async def running(command: Sequence[str], environment: Mapping[str, str] | None = None) -> AsyncIterator[Server]:
    """Start *command*, wait until it prints ``listening on URL``, and end it as Ctrl-C would.

    Raises :class:`RuntimeError` with what it printed, when it does not start.
    """
    with TemporaryDirectory(prefix="bargein-bench-") as folder, TemporaryFile() as stderr:
        whole = {**os.environ, **(environment or {})}
        process = await asyncio.create_subprocess_exec(
            *command, stdin=DEVNULL, stdout=PIPE, stderr=stderr, cwd=folder, env=whole
        )
        assert process.stdout is not None, "asked for as a pipe"
        draining: asyncio.Task[None] | None = None
        try:
            url = await _listening(process.stdout)
            if url is None:
                stderr.seek(0)
                raise RuntimeError(f"{command[0]} did not start: {stderr.read().decode(errors='replace')[-2000:]}")
            draining = asyncio.create_task(_drain(process.stdout))
            yield Server(url, process.pid)
        finally:
            if draining is not None:
                draining.cancel()
            await stop(process, STOP_TIMEOUT_S)


async def _listening(stdout: asyncio.StreamReader) -> str | None:
    try:
        async with asyncio.timeout(START_TIMEOUT_S):
            async for line in stdout:
                _, found, url = line.partition(_READY)
                if found:
                    return url.decode().strip()
    except TimeoutError:
        pass
    return None


async def _drain(stdout: asyncio.StreamReader) -> None:
    async for _ in stdout:
        pass


def gateway_command(*options: str, module: str = "gateway.cli") -> list[str]:
    """``bargein serve`` on a free port, with what is said in it thrown away; *options* win."""
    fixed = ("serve", "--no-browser", "--host", "127.0.0.1", "--port", "0", "--token", "", "--data", "data")
    return [sys.executable, "-m", module, *fixed, *options]


def python_path() -> dict[str, str]:
    """The environment in which a child finds the project and the benchmarks."""
    return {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "scripts")))}


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has used so far, at a moment."""

    at: float
    own_s: float
    """CPU seconds of the process itself."""

    workers_s: float
    """CPU seconds of its living children: the speech workers."""

    rss_mb: float
    threads: int
    fds: int


def usage(pid: int) -> Usage:
    """Look at a process, in ``/proc``."""
    own = workers = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        spent = (int(fields[11]) + int(fields[12])) / _TICK
        if stat.parent.name == str(pid):
            own = spent
        elif fields[1] == str(pid):
            workers += spent
    folder = Path("/proc", str(pid))
    pages = int((folder / "statm").read_text().split()[1])
    threads, fds = len(list((folder / "task").iterdir())), len(list((folder / "fd").iterdir()))
    return Usage(time.monotonic(), own, workers, pages * _PAGE / 1e6, threads, fds)
