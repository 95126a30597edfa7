"""The command line: one command a benchmark, each in a module of its own."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import typer

import benchmarks
from benchmarks import cpu, heard, sound, stop

app = typer.Typer(add_completion=False, no_args_is_help=True, help=benchmarks.__doc__)
app.command()(stop.stop)
app.command()(cpu.cpu)
app.command()(heard.heard)
app.command()(sound.sound)

if __name__ == "__main__":
    app()
