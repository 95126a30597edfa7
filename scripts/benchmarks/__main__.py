"""The command line: one command a benchmark, each in a module of its own."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

import benchmarks
from benchmarks import (
    backchannel,
    barge_in,
    detect,
    echo,
    handover,
    heard,
    models,
    scale,
    sessions,
    soak,
    sound,
    speech,
    store,
    upstream,
)
from benchmarks.common import console

app = typer.Typer(add_completion=False, no_args_is_help=True, help=benchmarks.__doc__)
app.command()(barge_in.barge_in)
app.command()(backchannel.backchannel)
app.command()(detect.detect)
app.command()(echo.echo)
app.command()(handover.handover)
app.command()(heard.heard)
app.command()(models.models)
app.command()(sound.sound)
app.command()(scale.scale)
app.command()(sessions.sessions)
app.command()(soak.soak)
app.command()(speech.speech)
app.command()(store.store)
app.command()(upstream.upstream)

QUICK: Final = {
    "barge-in": ("--count", "4", "--no-network"),
    "models": ("--count", "10"),
    "scale": ("--sessions", "5", "--most", "25", "--seconds", "5"),
    "sessions": ("--count", "5", "--devices", "20"),
    "soak": ("--minutes", "1", "--calls", "4"),
    "upstream": ("--sessions", "4", "--seconds", "3", "--count", "5"),
}
"""How to run a benchmark briefly. One that is not named here gets ``--quick``, if it knows that."""


@app.command("all")
def everything(
    quick: Annotated[
        bool, typer.Option("--quick", help="Each only briefly: whether it works, no figure to quote.")
    ] = False,
    folder: Annotated[Path | None, typer.Option("--json", help="A folder, for a file of figures each.")] = None,
) -> None:
    """Every benchmark, one after another, each in a process of its own."""
    failed = []
    for command in app.registered_commands:
        if command.callback is None or command.callback is everything:
            continue
        name = command.name or command.callback.__name__.replace("_", "-")
        known = inspect.signature(command.callback).parameters
        brief = QUICK.get(name, ("--quick",) if "quick" in known else ()) if quick else ()
        written = ("--json", str(folder / f"{name}.json")) if folder is not None and "json_path" in known else ()
        console.rule(name)
        if subprocess.run((sys.executable, "-m", "benchmarks", name, *brief, *written), check=False).returncode:
            failed.append(name)
    if failed:
        console.print(f"failed: {', '.join(failed)}", style="red")
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
