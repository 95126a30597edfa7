"""A gateway that tells of itself: ``python -m benchmarks.probed FILE serve …`` writes FILE at each SIGUSR1.

Nothing of it is in the product. Sessions leave memory after 20 s without a connection, not after minutes, so that a
soak sees them go; ``PROBE_TRACE=1`` also traces where memory was allocated, which costs twice the CPU.
"""

import asyncio
import ctypes
import ctypes.util
import gc
import json
import os
import signal
import sys
import threading
import tracemalloc
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any, Final

from gateway import app, cli
from gateway.runtime import registry

IDLE_S: Final = 20.0
EVICT_EVERY_S: Final = 5.0
TYPES: Final = 400
LINES: Final = 200


def main() -> None:
    """Serve, and answer signals."""
    target = Path(sys.argv.pop(1))
    vars(registry)["IDLE_SECONDS"] = IDLE_S
    vars(app)["EVICT_EVERY_S"] = EVICT_EVERY_S
    if os.environ.get("PROBE_TRACE"):
        tracemalloc.start(6)

    def on_signal(number: int, frame: FrameType | None) -> None:
        part = target.with_suffix(".part")
        part.write_text(json.dumps(_look()))
        part.replace(target)

    signal.signal(signal.SIGUSR1, on_signal)
    cli.main()


def _look() -> dict[str, Any]:
    gc.collect()
    objects = gc.get_objects()
    types = Counter(type(each).__qualname__ for each in objects)
    try:
        tasks = len(asyncio.all_tasks())
    except RuntimeError:  # not in the loop yet
        tasks = 0
    lines: dict[str, int] = {}
    if tracemalloc.is_tracing():
        found = tracemalloc.take_snapshot().statistics("lineno")[:LINES]
        lines = {f"{each.traceback[0].filename}:{each.traceback[0].lineno}": each.size for each in found}
    return {
        "objects": len(objects),
        "tasks": tasks,
        "threads": threading.active_count(),
        "types": dict(types.most_common(TYPES)),
        "lines": lines,
        "malloc_mb": _malloc_mb(),
        "sqlite_mb": _sqlite_mb(),
    }


class _Malloc(ctypes.Structure):
    """glibc's ``struct mallinfo2``."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "used", "free", "keepcost")
    )


def _malloc_mb() -> float | None:
    """What libraries hold by malloc; None where there is no glibc. If RSS grows and this does not, it is fragments."""
    try:
        tell = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        return None
    tell.restype = _Malloc
    found = tell()
    return round(float(found.used + found.hblkhd) / 1e6, 2)


def _sqlite_mb() -> float | None:
    """What SQLite holds, most of it pages; None where its library cannot be asked."""
    name = ctypes.util.find_library("sqlite3")
    if name is None:
        return None
    tell = ctypes.CDLL(name).sqlite3_memory_used
    tell.restype = ctypes.c_int64
    return round(float(tell()) / 1e6, 3)


if __name__ == "__main__":
    main()
