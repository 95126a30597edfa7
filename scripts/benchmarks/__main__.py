"""The command line: one command a benchmark, each in a module of its own."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import typer

import benchmarks
from benchmarks import barge_in, heard, scale, soak, sound

app = typer.Typer(add_completion=False, no_args_is_help=True, help=benchmarks.__doc__)


@app.callback()
def _bench() -> None: ...


app.command()(barge_in.barge_in)
app.command()(heard.heard)
app.command()(sound.sound)
app.command()(scale.scale)
app.command()(soak.soak)

if __name__ == "__main__":
    app()
