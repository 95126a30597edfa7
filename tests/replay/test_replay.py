"""A whole replay over real sockets, against a gateway that does what its script says."""

import asyncio
import io
import json
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

from gateway.replay import ReplayError, ReplayOptions, Report, parse, replay
from gateway.replay.director import Transport
from media.frames import VOICE_FRAME, Pcm
from media.levels import peak
from tests.replay.scripted import WebRtcGateway, WebSocketGateway, tone

Gateway = WebSocketGateway | WebRtcGateway


def clip(folder: Path, name: str, pcm: Pcm) -> Path:
    path = folder / name
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 24_000, 0, "NONE", ""))
        file.writeframes(pcm.tobytes())
    return path


def play(gateway: Gateway, options: ReplayOptions) -> tuple[Report, str]:
    """The report of a replay against *gateway*, and what was printed."""
    out = Console(file=io.StringIO(), width=120, color_system=None)

    async def main() -> Report:
        async with gateway.serving() as url:
            return await replay(replace(options, url=url), out)

    told = asyncio.run(main())
    assert isinstance(out.file, io.StringIO)
    return told, out.file.getvalue()


def channels(path: Path) -> tuple[Pcm, Pcm]:
    with wave.open(str(path)) as file:
        sound: NDArray[np.int16] = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2").reshape(-1, 2)
    return sound[:, 0], sound[:, 1]


@pytest.fixture
def steps(tmp_path: Path) -> tuple[str, str]:
    ask = clip(tmp_path, "ask.wav", tone(200))
    no = clip(tmp_path, "no.wav", tone(300))
    return f"{ask}", f"{no}@speaking+200"


@pytest.mark.alone
def test_over_a_websocket_the_caller_is_heard_and_the_answer_cut(tmp_path: Path, steps: tuple[str, str]) -> None:
    gateway = WebSocketGateway()
    report_path, sound_path = tmp_path / "report.json", tmp_path / "both.wav"
    told, printed = play(
        gateway,
        ReplayOptions(
            tuple(parse(step) for step in steps),
            transport="websocket",
            json_path=report_path,
            record_path=sound_path,
            token="secret",
        ),
    )
    check_the_conversation(told, printed)
    assert gateway.subprotocols == ["bargein.v1"]
    assert gateway.requests == [("/v1/realtime", "Bearer secret")]
    loud = np.concatenate([pcm for pcm in gateway.conversations[0].heard if peak(pcm) > 300])
    assert np.array_equal(loud, np.concatenate((tone(200), tone(300))))
    assert json.loads(report_path.read_text())["responses"][0]["heard_text"] == "Answer 1"
    check_the_recording(told, sound_path)


@pytest.mark.alone
def test_over_webrtc_the_caller_is_heard_and_the_answer_cut(tmp_path: Path, steps: tuple[str, str]) -> None:
    sound_path = tmp_path / "both.wav"
    gateway = WebRtcGateway()
    told, printed = play(gateway, ReplayOptions(tuple(parse(step) for step in steps), record_path=sound_path))
    check_the_conversation(told, printed)
    assert gateway.request.startswith("POST /v1/realtime/calls?ext=bargein.v1 HTTP/1.1\r\n")
    assert "Content-Type: application/sdp\r\n" in gateway.request
    assert gateway.closed.is_set()
    check_the_recording(told, sound_path)


def check_the_conversation(told: Report, printed: str) -> None:
    assert told.failure is None
    assert [it.text for it in told.transcripts] == ["a tone", "a tone"]
    cut, whole = told.responses
    assert (cut.heard_text, cut.unheard_text, cut.playout) == ("Answer 1", " is a tone.", "cleared")
    assert (whole.heard_text, whole.unheard_text, whole.playout) == ("Answer 2 is a tone.", "", "stopped")
    [interruption] = told.interruptions
    assert (interruption.step, interruption.file, interruption.response_id) == (2, "no.wav", "resp_1")
    assert (interruption.paused, interruption.cut, interruption.resumed) == (True, True, False)
    assert interruption.stop_latency_ms is not None
    ask, no = told.steps
    assert ask.ended_ms is not None
    assert no.began_ms >= ask.ended_ms
    for line in ("▶ ask.wav", "“a tone”", "begins to sound", "suspected → paused", "| unheard “ is a tone.”"):
        assert line in printed


def check_the_recording(told: Report, path: Path) -> None:
    """The caller stands where the report says, and the answer is silent from the cut until the next one."""
    caller, answer = channels(path)
    for step, lasts_ms in zip(told.steps, (200, 300), strict=True):
        onset = round(step.began_ms * 24)
        spoken = caller[max(onset - 240, 0) : onset + lasts_ms * 24 + 240]
        first, *_, last = np.flatnonzero(np.abs(spoken) > 300)
        assert abs(int(last - first) - lasts_ms * 24) < 30
    cleared_ms, started_ms = told.responses[0].ended_ms, told.responses[1].started_ms
    assert cleared_ms is not None
    assert started_ms is not None
    between = answer[round(cleared_ms + 100) * 24 : round(started_ms - 20) * 24]
    assert len(between)
    assert not (np.abs(between) > 500).any()
    assert (np.abs(answer[round(started_ms + 100) * 24 :]) > 500).any()


@pytest.mark.alone
def test_a_cough_lets_the_answer_go_on_and_nothing_of_it_is_missing(tmp_path: Path) -> None:
    ask = clip(tmp_path, "ask.wav", tone(100))
    cough = clip(tmp_path, "cough.wav", tone(40))
    sound_path = tmp_path / "both.wav"
    steps = (parse(str(ask)), parse(f"{cough}@speaking+100"))
    told, printed = play(
        WebSocketGateway(answer_ms=600),
        ReplayOptions(steps, transport="websocket", settle_ms=100, record_path=sound_path),
    )
    assert told.ok
    [interruption] = told.interruptions
    assert (interruption.paused, interruption.cut, interruption.resumed) == (True, False, True)
    assert interruption.stop_latency_ms is not None
    _, answer = channels(sound_path)
    sound = answer[np.flatnonzero(answer)[0] :]
    frames = sound[: len(sound) // VOICE_FRAME * VOICE_FRAME].reshape(-1, VOICE_FRAME)
    assert np.array_equal(frames[frames.any(axis=1)].ravel(), tone(600, 1000))
    assert "dismissed → the answer goes on" in printed


def test_steps_without_conditions_wait_for_each_answer(tmp_path: Path) -> None:
    ask = clip(tmp_path, "ask.wav", tone(100))
    steps = (parse(str(ask)), parse(str(ask)))
    told, _ = play(WebSocketGateway(answer_ms=100), ReplayOptions(steps, transport="websocket"))
    assert told.ok
    assert told.interruptions == []
    first_answer, second_answer = told.responses
    assert first_answer.ended_ms is not None
    assert first_answer.ended_ms <= told.steps[1].began_ms < second_answer.created_ms


def test_what_never_comes_is_named_when_the_time_is_up(tmp_path: Path) -> None:
    quiet = clip(tmp_path, "quiet.wav", tone(20, amplitude=10))
    steps = (parse(str(quiet)), parse(f"{quiet}@response.done"))
    told, printed = play(WebSocketGateway(), ReplayOptions(steps, transport="websocket", timeout_s=0.5))
    assert not told.ok
    assert told.failure == "Waited for response.done, to play quiet.wav, 0.5 s in all."
    assert told.failure in printed
    assert len(told.steps) == 1


def test_a_connection_that_ends_early_is_a_failure_with_a_reason(tmp_path: Path) -> None:
    ask = clip(tmp_path, "ask.wav", tone(3000))
    told, _ = play(WebSocketGateway(hangs_up_after=4), ReplayOptions((parse(str(ask)),), transport="websocket"))
    assert told.failure == "The connection was lost (close code 1000), while waiting for ask.wav to be played."


@pytest.mark.parametrize("transport", ["webrtc", "websocket"])
def test_a_gateway_that_is_not_there_is_named(tmp_path: Path, transport: Transport) -> None:
    ask = clip(tmp_path, "ask.wav", tone(100))
    options = ReplayOptions((parse(str(ask)),), url="http://127.0.0.1:9", transport=transport)
    with pytest.raises(ReplayError, match=r"127\.0\.0\.1:9") as refused:
        asyncio.run(replay(options, Console(file=io.StringIO())))
    assert refused.value.code == "gateway_unreachable"


def test_a_gateway_that_refuses_a_call_is_quoted(tmp_path: Path) -> None:
    ask = clip(tmp_path, "ask.wav", tone(100))
    with pytest.raises(ReplayError, match=r"503 This gateway serves text alone") as refused:
        play(WebRtcGateway(status="503 Service Unavailable"), ReplayOptions((parse(str(ask)),)))
    assert refused.value.code == "gateway_refused"


def test_a_server_that_is_no_gateway_refuses_the_socket(tmp_path: Path) -> None:
    ask = clip(tmp_path, "ask.wav", tone(100))
    with pytest.raises(ReplayError) as refused:
        play(WebRtcGateway(status="404 Not Found"), ReplayOptions((parse(str(ask)),), transport="websocket"))
    assert refused.value.code == "gateway_refused"


def test_a_file_that_cannot_be_written_is_told_before_anything_is_played(tmp_path: Path) -> None:
    ask = clip(tmp_path, "ask.wav", tone(100))
    options = ReplayOptions((parse(str(ask)),), url="http://127.0.0.1:9", json_path=tmp_path / "no folder" / "a.json")
    with pytest.raises(ReplayError) as refused:
        asyncio.run(replay(options, Console(file=io.StringIO())))
    assert refused.value.code == "cannot_write"


@pytest.mark.parametrize("url", ["", "127.0.0.1:8080", "ftp://host", "http://"])
def test_what_is_no_url_is_refused(tmp_path: Path, url: str) -> None:
    ask = clip(tmp_path, "ask.wav", tone(100))
    with pytest.raises(ReplayError) as refused:
        asyncio.run(replay(ReplayOptions((parse(str(ask)),), url=url), Console(file=io.StringIO())))
    assert refused.value.code == "bad_url"
