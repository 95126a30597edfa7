"""Runs one client's program against a gateway of its own, whose model is a server in this process."""

import asyncio
import os
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from gateway.replay.sound import read_clip
from tests.agents.fake_openai import FakeOpenAI
from tests.clients.cases import Report, read
from tests.clients.catalogue import Stock
from tests.clients.model import answer
from tests.e2e.gateway import gateway

ROOT: Final = Path(__file__).parents[2]
CLIPS: Final = ROOT / "tests" / "data" / "callers"
KEY: Final = "k3y"
LONGEST_S: Final = 240.0
"""How long one client may take for all cases."""


async def perform(client: Stock, folder: Path) -> Report:
    """All cases of a client. *folder* is for what the gateway writes."""
    clips = folder / "clips"
    clips.mkdir()
    for path in CLIPS.glob("*.wav"):
        (clips / f"{path.stem}.pcm").write_bytes(read_clip(path).pcm.astype("<i2").tobytes())
    async with FakeOpenAI(answer) as model:
        options = ("--agent", "openai_chat", "--base-url", model.base_url, "--token", KEY, *client.serving)
        with gateway(folder, *options) as running:
            stage = {"STAGE_URL": running.url, "STAGE_KEY": KEY, "STAGE_CLIPS": str(clips)}
            if "--tls" in client.serving:
                stage["NODE_EXTRA_CA_CERTS"] = str(folder / "data" / "tls" / "development.pem")
            said, tail = await _run(client.command, stage)
    return read(client.name, client.version(), client.cases, said, tail)


async def _run(command: Sequence[str], stage: Mapping[str, str]) -> tuple[list[str], str]:
    """Lines that the program printed, and the last one of its complaints."""
    program = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=PIPE, stderr=PIPE, cwd=ROOT, env={**os.environ, **stage}
    )
    try:
        async with asyncio.timeout(LONGEST_S):
            said, complained = await program.communicate()
    except TimeoutError:
        program.kill()
        said, complained = await program.communicate()
    text = complained.decode(errors="replace")
    sys.stderr.write(text)
    return said.decode(errors="replace").splitlines(), (text.strip().splitlines() or [""])[-1][:300]
