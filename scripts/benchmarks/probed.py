"""A gateway that tells of itself: ``python -m benchmarks.probed FILE serve …`` writes FILE at each SIGUSR1.

Nothing of it is in the product. Sessions leave memory after 20 s without a connection, not after minutes, so that a
soak sees them go; ``PROBE_TRACE=1`` also traces where memory was allocated, which costs twice the CPU.
"""

import asyncio
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
    }


if __name__ == "__main__":
    main()
