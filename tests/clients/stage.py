"""Runs one client's program against a gateway of its own, whose model is a server in this process."""

import asyncio
import json
import os
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from gateway.replay.sound import read_clip
from tests.agents.fake_openai import FakeOpenAI
from tests.clients.cases import Report, Result, read
from tests.clients.catalogue import WIRE, Stock
from tests.clients.model import answer
from tests.e2e.gateway import gateway
from tests.protocol.stock import problems

ROOT: Final = Path(__file__).parents[2]
CLIPS: Final = ROOT / "tests" / "data" / "callers"
KEY: Final = "k3y"
QUIET: Final = ("--after-empty-cut", "silent")
"""Else a cut answer goes on when its interrupter's words are late, as they are on a machine with other work."""

LONGEST_S: Final = 240.0
"""How long one client may take for all cases."""


async def perform(client: Stock, folder: Path) -> Report:
    """All cases of a client. *folder* is for what the gateway writes."""
    clips = folder / "clips"
    heard = folder / "heard.json"
    clips.mkdir()
    for path in CLIPS.glob("*.wav"):
        (clips / f"{path.stem}.pcm").write_bytes(read_clip(path).pcm.astype("<i2").tobytes())
    async with FakeOpenAI(answer) as model:
        options = ("--agent", "openai_chat", "--base-url", model.base_url, "--token", KEY, *QUIET, *client.serving)
        with gateway(folder, *options) as running:
            stage = {"STAGE_URL": running.url, "STAGE_KEY": KEY, "STAGE_CLIPS": str(clips), "STAGE_EVENTS": str(heard)}
            if "--tls" in client.serving:
                stage["NODE_EXTRA_CA_CERTS"] = str(folder / "data" / "tls" / "development.pem")
            said, tail = await _run(client.command, stage)
    report = read(client.name, client.version(), client.cases, said, tail)
    return (
        report if client is WIRE else strictly(report, json.loads(heard.read_text("utf-8")) if heard.exists() else [])
    )


def strictly(report: Report, events: Sequence[Any]) -> Report:
    """The report, in which an event that is not as the standard has it is an error, and no event at all is one."""
    wrong = [problem for event in events if event["type"] != "error" for problem in problems(json.dumps(event))]
    if events and not wrong:
        return report
    reason = f"not as the standard has it: {'; '.join(dict.fromkeys(wrong))[:400]}" if wrong else "nothing was heard"
    kept = (Result("no_errors", "failed", reason) if each.case == "no_errors" else each for each in report.results)
    return replace(report, results=tuple(kept))


async def _run(command: Sequence[str], stage: Mapping[str, str]) -> tuple[list[str], str]:
    """Lines that the program printed, and how it ended."""
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
    tail = (text.strip().splitlines() or [""])[-1][:300]
    return said.decode(errors="replace").splitlines(), f"with {program.returncode}, {tail}"
