"""What all benchmarks share: where the clips lie, what the machine is, and how figures are written."""

import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console

ROOT: Final = Path(__file__).resolve().parents[2]
CALLERS: Final = ROOT / "tests" / "data" / "callers"
SHARED: Final = ROOT.parent / "shared" / "data"
BENCH_CLIPS: Final = SHARED / "callers"
DEV_CLIPS: Final = SHARED / "bargein-dev"

console: Final = Console()

Json = Annotated[Path | None, typer.Option("--json", help="Write the figures here.")]


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model = next((line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")), "unknown")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }


def _cpuinfo() -> Iterator[str]:
    path = Path("/proc/cpuinfo")
    yield from path.read_text().splitlines() if path.exists() else []


def write(path: Path | None, name: str, figures: dict[str, Any]) -> None:
    """Write the figures as JSON, if a path was given."""
    if path is not None:
        path.write_text(json.dumps({"bench": name, "machine": machine(), **figures}, indent=2) + "\n")
