"""A load generator as seen by the benchmark: a process that calls (:mod:`benchmarks.load`), and is told what to do."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.process import python_path


class Crowd:
    """Callers in a process of their own. Comes from :func:`crowd`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def add(self, role: str, count: int) -> int:
        """*count* more callers in that role; how many could not be had."""
        return int((await self._do(f"add {role} {count}")).get("failed", 0)) if count > 0 else 0

    async def drop(self, count: int) -> None:
        """Hang up the *count* oldest calls."""
        await self._do(f"drop {count}")

    async def vanish(self, count: int) -> None:
        """The *count* oldest calls fall silent without a word."""
        await self._do(f"vanish {count}")

    async def measure(self, seconds: float) -> dict[str, Any]:
        """What came in during *seconds*."""
        return await self._do(f"measure {seconds}")

    async def _do(self, command: str) -> dict[str, Any]:
        assert self._process.stdin is not None, "asked for as pipes"
        assert self._process.stdout is not None, "asked for as pipes"
        self._process.stdin.write(f"{command}\n".encode())
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the load generator ended")
        answer: dict[str, Any] = json.loads(line)
        return answer


@asynccontextmanager
async def crowd(url: str, path: str | None = None) -> AsyncIterator[Crowd]:
    """Callers for the server at *url*. All hang up at the end."""
    command = (sys.executable, "-m", "benchmarks.load", url, *([path] if path else []))
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, env={**os.environ, **python_path()}, limit=1 << 20
    )
    try:
        yield Crowd(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(20):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
