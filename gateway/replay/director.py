"""A replay from its first step to its report: waits for each cue, plays, and waits until all is said."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal, TypeAlias

import msgspec
from rich.console import Console
from rich.status import Status
from rich.text import Text

from gateway.replay import cues, line
from gateway.replay.errors import ReplayError
from gateway.replay.microphone import Microphone
from gateway.replay.narration import Narrator
from gateway.replay.own_gateway import own_gateway, usual_gateway
from gateway.replay.sound import Clip, Recording, read_clip
from gateway.replay.steps import Step
from gateway.replay.timeline import Report, report
from gateway.replay.webrtc import webrtc_line
from gateway.replay.websocket import websocket_line
from gateway.replay.witness import ConnectionLost, Witness

Transport: TypeAlias = Literal["webrtc", "websocket"]

_LINES: Final[dict[Transport, line.Line]] = {"webrtc": webrtc_line, "websocket": websocket_line}


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What ``bargein replay`` was asked for."""

    steps: tuple[Step, ...]

    url: str | None = None
    """The gateway to talk to; None takes the one that runs at the usual address, or else starts one."""

    transport: Transport = "webrtc"
    json_path: Path | None = None
    record_path: Path | None = None

    settle_ms: int = 1500
    """After so long without any event or sound, with nothing going on, a step counts as dealt with."""

    listen_ms: int | None = 10_000
    """How long the last answer is listened to before the replay hangs up; None: to its end. Never before it is made."""

    timeout_s: float = 120.0
    """For everything from connecting to the end; what was waited for is reported."""

    token: str | None = None


async def replay(options: ReplayOptions, out: Console) -> Report:
    """Play the steps and report. Prints the timeline to *out* as it happens, and writes the files asked for.

    ``report.ok`` is False when not every step was played or not every response reached its end; ``report.failure``
    then says why. Raises :class:`ReplayError` when the replay cannot begin, or a file cannot be written.
    """
    clips = [(step, read_clip(step.path)) for step in options.steps]
    for path in (options.json_path, options.record_path):
        if path is not None and not path.absolute().parent.is_dir():
            raise ReplayError("cannot_write", f"“{path}” cannot be written: there is no such folder.")
    narrator = Narrator(out)
    recording = Recording() if options.record_path is not None else None
    with out.status("starting a gateway") as status:
        async with _gateway(options) as url:
            narrator.say(0.0, "gateway", url)
            done = await _Replay(options, url, narrator, recording, status).run(clips)
    narrator.conclude(done)
    if recording is not None and options.record_path is not None:
        recording.write(options.record_path)
    if options.json_path is not None:
        _write_json(done, options.json_path)
    return done


@asynccontextmanager
async def _gateway(options: ReplayOptions) -> AsyncIterator[str]:
    if options.url is not None:
        yield options.url
        return
    if (running := await usual_gateway()) is not None:
        yield running
        return
    async with own_gateway() as url:
        yield url


def _write_json(done: Report, path: Path) -> None:
    try:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(done), indent=2) + b"\n")
    except OSError as error:
        raise ReplayError("cannot_write", f"“{path}” cannot be written: {error.strerror}.") from error


class _Replay:
    """One run of all steps over one connection."""

    def __init__(
        self, options: ReplayOptions, url: str, narrator: Narrator, recording: Recording | None, status: Status
    ) -> None:
        self._options = options
        self._url = url
        self._status = status
        self._microphone = Microphone()
        self._witness = Witness(narrator, recording, asyncio.get_running_loop().time)

    async def run(self, clips: Sequence[tuple[Step, Clip]]) -> Report:
        target = line.target(self._url, self._options.token)
        failure = await self._perform(target, clips)
        return report(
            self._witness.story,
            url=self._url,
            transport=self._options.transport,
            now_ms=self._witness.now_ms(),
            failure=failure,
        )

    async def _perform(self, target: line.Target, clips: Sequence[tuple[Step, Clip]]) -> str | None:
        """Play everything; a sentence when that did not come to its end."""
        upcoming: Step | None = None
        connect = _LINES[self._options.transport]
        story, settle_ms = self._witness.story, self._options.settle_ms
        try:
            async with asyncio.timeout(self._options.timeout_s), connect(target, self._microphone, self._witness):
                for upcoming, clip in clips:
                    await self._until(upcoming, partial(cues.due_ms, upcoming, story, settle_ms))
                    self._witness.plays(upcoming)
                    self._microphone.play(clip)
                upcoming = None
                await self._until(None, partial(cues.over_ms, story, settle_ms, self._options.listen_ms))
        except TimeoutError:
            return f"Waited for {cues.waiting_for(upcoming, story)}, {self._options.timeout_s:g} s in all."
        except ConnectionLost as lost:
            return f"The connection was lost ({lost}), while waiting for {cues.waiting_for(upcoming, story)}."
        return None

    async def _until(self, step: Step | None, due_ms: Callable[[], float | None]) -> None:
        while True:
            due, now = due_ms(), self._witness.now_ms()
            if due is not None and due <= now:
                return
            self._status.update(Text(f"{now / 1000:.0f} s: waiting for {cues.waiting_for(step, self._witness.story)}"))
            await self._witness.change(None if due is None else (due - now) / 1000)
