"""Other servers on the same clips: each runs in a process, and those that are not ours in an environment of their own.

Nothing of ours imports them.
"""

import hashlib
import shutil
import subprocess
import sys
import venv
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

import typer

from benchmarks.caller import Answer, posted, posted_json
from benchmarks.common import ROOT, console
from benchmarks.process import Server, gateway_command, python_path, running

HERE: Final = Path(__file__).parent
CACHE: Final = ROOT / ".bench"

Peer: TypeAlias = Literal["stock", "pipecat", "fastrtc"]
_OFFERS: Final[dict[Peer, str]] = {"stock": "/offer", "pipecat": "/api/offer", "fastrtc": "/webrtc/offer"}


def known(names: Iterable[str]) -> list[Peer]:
    """These peers. Raises :class:`typer.BadParameter` for a name that is none."""
    found: list[Peer] = []
    for name in names:
        match name:
            case "stock" | "pipecat" | "fastrtc":
                found.append(name)
            case _:
                raise typer.BadParameter(f"{name} is not stock, pipecat or fastrtc")
    return found


@dataclass(frozen=True, slots=True)
class Target:
    """A server that is measured."""

    name: str
    server: Server
    answer: Answer
    ours: bool


@asynccontextmanager
async def our_gateway(*options: str, name: str = "bargein") -> AsyncIterator[Target]:
    """A gateway with its real detector and recognizer, and a voice that never draws breath."""
    engines = ("--agent", "benchmarks.engines:count", "--synthesizer", "benchmarks.engines:chirp")
    async with running(gateway_command(*engines, *options), python_path()) as server:
        yield Target(name, server, posted(server.url), ours=True)


@asynccontextmanager
async def peer(name: Peer, *options: str) -> AsyncIterator[Target]:
    """One of the others, made ready if need be; *options* go to its server.

    Raises :class:`RuntimeError` when that fails.
    """
    if name == "stock":
        command = [sys.executable, "-m", "benchmarks.peers.stock_server"]
    else:
        command = [str(_environment(name) / "bin" / "python"), str(HERE / f"{name}_server.py")]
    async with running([*command, *options], python_path() if name == "stock" else {"PYTHONPATH": ""}) as server:
        yield Target(name, server, posted_json(server.url, _OFFERS[name]), ours=False)


def _environment(name: Peer) -> Path:
    """A virtual environment with what ``{name}.txt`` names; made once, and anew when that changes."""
    wanted, folder = HERE / f"{name}.txt", CACHE / name
    stamp, digest = folder / ".stamp", hashlib.sha256(wanted.read_bytes()).hexdigest()
    if not (stamp.exists() and stamp.read_text() == digest):
        console.print(f"installing {name} into {folder.relative_to(ROOT)} (once)…")
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        pip += ["--require-hashes", "--no-compile"]
        done = subprocess.run([*pip, "--requirement", str(wanted)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{name} could not be installed: {done.stderr.strip()[-1000:]}")
        stamp.write_text(digest)
    return folder
