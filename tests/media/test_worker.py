"""Engines in processes of their own: the frames they speak, and how they begin, fail and end."""

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvloop
from hypothesis import given, strategies as st

from media.speech import Speech, SpeechError, Word
from media.speech.pipe import MAX_BODY_BYTES, Decoder, Frame, FrameError, Kind, encode, pack, unpack
from media.speech.worker import BACKLOG_BYTES, Call, Worker

_FRAMES = st.builds(Frame, st.sampled_from(Kind), st.integers(0, 2**32 - 1), st.binary(max_size=50))
_UINT = st.integers(0, 2**32 - 1)


def echo(*arguments: str) -> Worker:
    return Worker("The echo", "tests.media.echo_worker", *arguments)


async def answer(call: Call, timeout_s: float = 15) -> bytes:
    """The body of the call's last frame."""
    while (frame := await call.receive(timeout_s)).kind is not Kind.FINISH:
        pass
    return frame.body


async def pid_of(worker: Worker) -> int:
    return int(await answer(worker.call(b"pid")))


async def failure(call: Call, timeout_s: float = 15) -> SpeechError:
    with pytest.raises(SpeechError) as error:
        await answer(call, timeout_s)
    return error.value


def ended(pid: int, timeout_s: float = 10) -> bool:
    """True as soon as the process is gone."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with os.fdopen(process):
        return bool(select.select([process], [], [], timeout_s)[0])


def with_echo(test: Callable[[Worker], Coroutine[Any, Any, None]], *arguments: str) -> None:
    async def main() -> None:
        worker = echo(*arguments)
        try:
            await test(worker)
        finally:
            await worker.aclose()

    asyncio.run(main())


@given(st.lists(_FRAMES, max_size=8), st.lists(st.integers(1, 40), min_size=1))
def test_frames_survive_any_cut(frames: list[Frame], cuts: list[int]) -> None:
    data, decoder, at, read = b"".join(map(encode, frames)), Decoder(), 0, []
    while at < len(data):
        length = cuts[at % len(cuts)]
        read += list(decoder.feed(data[at : at + length]))
        at += length
    assert read == frames


@given(st.binary(max_size=200))
def test_any_bytes_are_frames_or_an_error(data: bytes) -> None:
    try:
        frames = list(Decoder().feed(data))
    except FrameError:
        return
    assert b"".join(map(encode, frames)) == data[: sum(len(encode(frame)) for frame in frames)]


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x00\x00\x04" + bytes(5),
        (MAX_BODY_BYTES + 6).to_bytes(4, "big") + bytes(5),
        b"\x00\x00\x00\x05\x63" + bytes(4),
    ],
    ids=["too short", "too long", "unknown kind"],
)
def test_bytes_that_are_no_frame_are_an_error(data: bytes) -> None:
    with pytest.raises(FrameError):
        list(Decoder().feed(data))


def test_a_frame_that_nobody_would_read_is_not_made() -> None:
    with pytest.raises(FrameError):
        encode(Frame(Kind.SOUND, 1, bytes(MAX_BODY_BYTES + 1)))


@given(st.lists(st.integers(-32768, 32767)), st.lists(st.builds(Word, _UINT, _UINT, _UINT), max_size=5))
def test_speech_is_packed_and_unpacked(pcm: list[int], words: list[Word]) -> None:
    speech = unpack(pack(Speech(np.array(pcm, dtype=np.int16), tuple(words))))
    assert speech.pcm.tolist() == pcm
    assert speech.words == tuple(words)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_calls_share_a_process_and_end_with_it(run: Callable[[Coroutine[Any, Any, int]], int]) -> None:
    async def main() -> int:
        worker = echo()
        calls = [worker.call() for _ in range(5)]
        for number, call in enumerate(calls):
            call.send(Kind.SOUND, bytes(number))
        for call in reversed(calls):
            call.send(Kind.FINISH)
        assert [await answer(call) for call in calls] == [b"0", b"1", b"2", b"3", b"4"]
        pid = await pid_of(worker)
        assert os.getsid(pid) == pid
        left = worker.call()
        await worker.aclose()
        await worker.aclose()
        assert (await failure(left)).code == "engine_unavailable"
        assert (await failure(worker.call(b"pid"))).code == "engine_unavailable"
        with pytest.raises(SpeechError):
            await worker.warm_up()
        return pid

    with pytest.raises(ProcessLookupError):
        os.kill(run(main()), 0)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_the_end_of_the_event_loop_ends_the_process(run: Callable[[Coroutine[Any, Any, int]], int]) -> None:
    async def main() -> int:
        return await pid_of(echo())

    with pytest.raises(ProcessLookupError):
        os.kill(run(main()), 0)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_a_worker_can_be_closed_while_it_starts(run: Callable[[Coroutine[Any, Any, None]], None], steps: int) -> None:
    async def main() -> None:
        await echo().aclose()
        worker = echo()
        call = worker.call()
        for _ in range(steps):
            await asyncio.sleep(0)
        await worker.aclose()
        assert (await failure(call)).code == "engine_unavailable"

    run(main())


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
@pytest.mark.parametrize("steps", [0, 1, 3, 10])
def test_the_event_loop_may_end_while_a_worker_starts(
    run: Callable[[Coroutine[Any, Any, None]], None], steps: int
) -> None:
    async def main() -> None:
        echo().call()
        for _ in range(steps):
            await asyncio.sleep(0)

    run(main())


def test_a_worker_can_be_closed_after_its_event_loop() -> None:
    worker = echo()
    asyncio.run(pid_of(worker))
    asyncio.run(worker.aclose())


def test_a_worker_goes_on_in_another_event_loop() -> None:
    worker = echo()
    first = asyncio.run(pid_of(worker))
    assert asyncio.run(pid_of(worker)) != first


@pytest.mark.parametrize("how", [b"die", b"raise", b"nonsense"])
def test_a_process_that_breaks_down_fails_its_calls_and_is_replaced(
    how: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    async def test(worker: Worker) -> None:
        pid = await pid_of(worker)
        others = [worker.call(), worker.call()]
        broken = worker.call(how)
        if how != b"raise":
            assert (await broken.receive()).body == b"last words"
        for call in (broken, *others, broken):
            error = await failure(call)
            assert error.code == "engine_failed"
            assert str(error).startswith("The echo ")
        assert await pid_of(worker) != pid
        assert ended(pid)

    with_echo(test)
    assert capfd.readouterr() == ("", "")


def test_a_process_that_hangs_is_ended_and_replaced() -> None:
    async def test(worker: Worker) -> None:
        pid = await pid_of(worker)
        hanging, other = worker.call(b"hang"), worker.call()
        assert (await failure(hanging, timeout_s=0.05)).code == "engine_timeout"
        assert (await failure(other)).code == "engine_timeout"
        assert await pid_of(worker) != pid
        assert ended(pid)

    with_echo(test)


def test_a_process_that_is_stopped_is_killed_with_its_worker() -> None:
    async def main() -> int:
        worker = echo()
        pid = await pid_of(worker)
        os.kill(pid, signal.SIGSTOP)
        await worker.aclose()
        return pid

    with pytest.raises(ProcessLookupError):
        os.kill(asyncio.run(main()), 0)


def test_a_call_that_takes_too_long_does_not_cost_the_others_their_process() -> None:
    async def test(worker: Worker) -> None:
        pid = await pid_of(worker)
        slow = worker.call()
        slow_failure = asyncio.create_task(failure(slow, timeout_s=0.05))
        while not slow_failure.done():
            assert await pid_of(worker) == pid
        assert (await slow_failure).code == "engine_timeout"
        assert await pid_of(worker) == pid

    with_echo(test)


def test_an_engine_that_cannot_be_loaded_says_why() -> None:
    async def test(worker: Worker) -> None:
        error = await failure(worker.call())
        assert (error.code, str(error)) == ("engine_unavailable", "The echo is out.")
        with pytest.raises(SpeechError, match="The echo is out"):
            await worker.warm_up()

    with_echo(test, "refuse")


def test_an_engine_that_dies_while_loading_has_failed() -> None:
    async def test(worker: Worker) -> None:
        with pytest.raises(SpeechError) as error:
            await worker.warm_up()
        assert error.value.code == "engine_failed"

    with_echo(test, "die")


def test_an_engine_that_never_loads_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("media.speech.worker.LOAD_TIMEOUT_S", 0.05)

    async def test(worker: Worker) -> None:
        assert (await failure(worker.call(), timeout_s=0)).code == "engine_timeout"
        with pytest.raises(SpeechError) as error:
            await worker.warm_up()
        assert error.value.code == "engine_timeout"

    with_echo(test, "hang")


def test_a_process_that_cannot_be_started_is_unavailable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing"))

    async def test(worker: Worker) -> None:
        assert (await failure(worker.call())).code == "engine_unavailable"

    with_echo(test)


def test_the_working_directory_cannot_replace_a_module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "struct.py").write_text("raise SystemExit(1)")
    monkeypatch.chdir(tmp_path)
    with_echo(Worker.warm_up)


def test_a_cancelled_call_makes_way_for_the_next() -> None:
    async def test(worker: Worker) -> None:
        call = worker.call(b"go on")
        await call.receive()
        following = asyncio.create_task(pid_of(worker))
        call.cancel()
        call.cancel()
        assert await following
        assert (await failure(call)).code == "engine_failed"

    with_echo(test)


def test_what_an_engine_prints_is_no_frame(capfd: pytest.CaptureFixture[str]) -> None:
    async def test(worker: Worker) -> None:
        assert await answer(worker.call(b"print")) == b""
        assert await pid_of(worker)

    with_echo(test)
    assert capfd.readouterr() == ("", "")


def test_an_interrupt_from_the_terminal_does_not_reach_the_engine(capfd: pytest.CaptureFixture[str]) -> None:
    async def test(worker: Worker) -> None:
        pid = await pid_of(worker)
        os.kill(pid, signal.SIGINT)
        assert await pid_of(worker) == pid

    with_echo(test)
    assert capfd.readouterr() == ("", "")


def test_sound_does_not_pile_up_in_front_of_a_process_that_does_not_read() -> None:
    async def test(worker: Worker) -> None:
        pid = await pid_of(worker)
        call = worker.call()
        os.kill(pid, signal.SIGSTOP)
        sent = 2 * BACKLOG_BYTES
        for _ in range(sent >> 20):
            call.send(Kind.SOUND, bytes(1 << 20))
        os.kill(pid, signal.SIGCONT)
        call.send(Kind.FINISH)
        assert BACKLOG_BYTES <= int(await answer(call)) < sent

    with_echo(test)


_GATEWAY = """
import asyncio
from tests.media.test_worker import echo, pid_of

async def main():
    worker = echo()
    print(await pid_of(worker), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_the_process_does_not_outlive_a_killed_gateway() -> None:
    with subprocess.Popen([sys.executable, "-c", _GATEWAY], stdout=subprocess.PIPE) as gateway:
        assert gateway.stdout is not None
        pid = int(gateway.stdout.readline())
        gateway.kill()
    assert ended(pid)
