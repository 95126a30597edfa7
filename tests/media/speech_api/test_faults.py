"""What goes wrong with a speech server, and what is said of it. Nothing hangs, and nothing private is told."""

import asyncio
import json

import pytest

from media.speech import SpeechError
from media.speech.api.speaking import OpenAISpeech
from media.speech.api.transcribing import OpenAITranscription
from tests.media.speech_api.server import (
    KEY,
    TEXT,
    TONE,
    Answer,
    break_off,
    events,
    hang,
    no_http,
    reset,
    serving,
    start_and_hang,
    whole,
)
from tests.media.speech_api.test_speaking import spoken


def failure_of(answer: Answer, read_timeout_s: float = 10) -> tuple[SpeechError, SpeechError]:
    """What the synthesizer and the recognizer raise when a server answers so."""

    async def main() -> tuple[SpeechError, SpeechError]:
        async with serving(answer) as server:
            speech = OpenAISpeech(KEY, server.url, read_timeout_s=read_timeout_s)
            with pytest.raises(SpeechError) as speaking:
                await spoken(speech)
            await speech.aclose()
            transcription = OpenAITranscription(KEY, server.url, read_timeout_s=read_timeout_s)
            utterance = transcription.listen()
            utterance.feed(TONE)
            with pytest.raises(SpeechError) as listening:
                await utterance.finish()
            await transcription.aclose()
            await transcription.aclose()
        return speaking.value, listening.value

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("401 Unauthorized", "engine_unavailable"),
        ("403 Forbidden", "engine_unavailable"),
        ("404 Not Found", "engine_unavailable"),
        ("400 Bad Request", "engine_failed"),
        ("429 Too Many Requests", "engine_failed"),
        ("500 Internal Server Error", "engine_failed"),
        ("504 Gateway Timeout", "engine_timeout"),
    ],
)
def test_a_refusal_is_told_by_its_status_alone(status: str, code: str) -> None:
    body = json.dumps({"error": {"message": f"{TEXT} {KEY}", "code": KEY}}).encode()
    for error in failure_of(whole(body, "application/json", status)):
        assert error.code == code
        assert f"(HTTP {status[:3]})" in str(error)
        assert KEY not in str(error)
        assert TEXT not in str(error)
        assert error.__cause__ is None
        assert error.__suppress_context__


@pytest.mark.parametrize("answer", [hang, start_and_hang])
def test_a_server_that_falls_silent_times_out(answer: Answer) -> None:
    assert [error.code for error in failure_of(answer, 0.05)] == ["engine_timeout", "engine_timeout"]


@pytest.mark.parametrize("answer", [break_off, reset, no_http])
def test_a_server_that_breaks_off_has_failed(answer: Answer) -> None:
    assert [error.code for error in failure_of(answer)] == ["engine_failed", "engine_failed"]


def test_an_error_in_a_document_or_a_stream_is_not_quoted() -> None:
    body = json.dumps({"error": {"message": f"{TEXT} {KEY}", "code": KEY}})
    for answer in (whole(body.encode(), "application/json"), events(body)):
        for error in failure_of(answer):
            assert error.code == "engine_failed"
            assert KEY not in str(error)
            assert TEXT not in str(error)


def test_sound_without_end_is_left() -> None:
    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: audio/pcm\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"bb80\r\n" + TONE.tobytes() + b"\r\n")
            await writer.drain()

    async def main() -> None:
        async with serving(endless) as server:
            speech = OpenAISpeech(KEY, server.url)
            with pytest.raises(SpeechError) as error:
                await spoken(speech)
            assert error.value.code == "engine_failed"
            await asyncio.wait_for(server.disconnected.wait(), 5)
            await speech.aclose()

    asyncio.run(main())


@pytest.mark.parametrize("content_type", ["text/html", "application/json; charset=utf-8"])
def test_an_answer_that_is_neither_sound_nor_words_has_failed(content_type: str) -> None:
    assert [error.code for error in failure_of(whole(b"<html>", content_type))] == ["engine_failed", "engine_failed"]


def test_a_compressed_file_is_not_played_as_noise() -> None:
    speaking, _ = failure_of(whole(b"ID3" + bytes(9600), "audio/mpeg"))
    assert speaking.code == "engine_failed"


def test_a_server_that_is_not_there_is_unavailable() -> None:
    async def main() -> None:
        async with serving(hang) as server:
            pass
        speech = OpenAISpeech(base_url=server.url)
        with pytest.raises(SpeechError) as error:
            await spoken(speech)
        assert error.value.code == "engine_unavailable"
        await speech.aclose()

    asyncio.run(main())


def test_without_key_and_address_there_is_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    for engine in (OpenAISpeech, OpenAITranscription):
        with pytest.raises(SpeechError) as error:
            engine()
        assert error.value.code == "engine_unavailable"
        for address in ("nowhere", "http://host:port"):
            with pytest.raises(SpeechError) as error:
                engine(KEY, address)
            assert error.value.code == "engine_unavailable"


def test_the_key_in_the_environment_is_not_for_every_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    async def main() -> None:
        async with serving(whole(TONE.tobytes())) as server:
            speech = OpenAISpeech(base_url=server.url)
            await spoken(speech)
            await speech.aclose()
        assert KEY not in server.requests[0][0]

    asyncio.run(main())
