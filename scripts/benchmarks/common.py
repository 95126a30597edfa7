"""What all benchmarks share: where the clips lie, what the machine is, and how figures are written."""

import json
import os
import platform
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer
from rich.console import Console

ROOT: Final = Path(__file__).resolve().parents[2]
CALLERS: Final = ROOT / "tests" / "data" / "callers"
SHARED: Final = ROOT.parent / "shared" / "data"
BENCH_CLIPS: Final = SHARED / "callers"
DEV_CLIPS: Final = SHARED / "bargein-dev"

console: Final = Console(width=None if sys.stdout.isatty() else 150)

Json = Annotated[Path | None, typer.Option("--json", help="Write the figures here.")]


def ask_clips() -> list[Path]:
    """The callers that the tests use."""
    return sorted(CALLERS.glob("*.wav"))


def shared_clips(folder: Path, pattern: str, instead: Sequence[str]) -> list[Path]:
    """The clips *pattern* of *folder*; where they are not beside the project, those of the tests, and it is said."""
    found = sorted(folder.glob(pattern))
    if not found:
        console.print(f"The clips {pattern} are not here; taking {', '.join(instead)} of the tests.", style="yellow")
    return found or [CALLERS / name for name in instead]


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model = next((line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")), "unknown")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }


def name_machine() -> None:
    """Say what the figures were measured on."""
    known = machine()
    console.print(
        f"{known['cores']} cores, {known['cpu']}, Python {known['python']}; load {known['load']} (others count in it)"
    )


def _cpuinfo() -> Iterator[str]:
    path = Path("/proc/cpuinfo")
    yield from path.read_text().splitlines() if path.exists() else []


def spread(values: Sequence[float]) -> dict[str, float | int | None]:
    """``n``, ``median``, ``p90``, ``p95`` and ``max``, rounded to a tenth; None where there are no values."""
    if not values:
        return {"n": 0, "median": None, "p90": None, "p95": None, "max": None}
    middle, p90, p95 = (round(float(each), 1) for each in np.percentile(values, (50, 90, 95)))
    return {"n": len(values), "median": middle, "p90": p90, "p95": p95, "max": round(max(values), 1)}


def shown(value: float | int | None, digits: int = 0) -> str:
    """A figure for a table; a dash for one that is not there."""
    return "–" if value is None else f"{value:.{digits}f}"


def write(path: Path | None, name: str, figures: dict[str, Any]) -> None:
    """Write the figures as JSON, if a path was given."""
    if path is not None:
        path.write_text(json.dumps({"bench": name, "machine": machine(), **figures}, indent=2) + "\n")
