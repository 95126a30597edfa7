"""Speech with word times against a real HTTP server on loopback that gives them as Kokoro-FastAPI does."""

import asyncio
import base64
import json
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest

from media.frames import Pcm
from media.speaking.playout import Playout, PlayoutOptions
from media.speaking.speaker import Speaker
from media.speech import Manner, Speech, SpeechError, Versatile
from media.speech.api.captioned import MAX_LINE_BYTES, CaptionedSpeech
from media.speech.api.speaking import Style
from tests.media.speech_api.server import (
    KEY,
    TEXT,
    TONE,
    Answer,
    break_off,
    chunked,
    hang,
    no_http,
    reset,
    serving,
    whole,
)

SECOND = len(TONE)


def line(pcm: Pcm, *words: tuple[str, float]) -> bytes:
    """What the server sends for one sentence."""
    stamps = [{"word": word, "start_time": start, "end_time": start + 0.1} for word, start in words]
    sound = base64.b64encode(pcm.tobytes()).decode()
    return json.dumps({"audio": sound, "audio_format": "audio/pcm", "timestamps": stamps or None}).encode() + b"\n"


SAID = "Hello there. How are you?"
LINES = (
    line(TONE, ("Hello", 0.0), ("there", 0.5), (".", 0.9)),
    line(TONE, ("How", 1.0), ("are", 1.25), ("you", 1.5), ("?", 1.9)),
)
STARTS = [("Hello", 0.0), ("there", 0.5), ("How", 1.0), ("are", 1.25), ("you", 1.5)]


def answering(body: bytes, cut_every: int) -> Answer:
    """The lines, cut anywhere."""
    return chunked([body[at : at + cut_every] for at in range(0, len(body), cut_every)], "application/json")


async def one_line_and_hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n" + LINES[0])
    await writer.drain()
    await hang(reader, writer)


async def spoken(speech: CaptionedSpeech, text: str = SAID) -> list[Speech]:
    return [piece async for piece in speech.speak(text)]


@pytest.mark.parametrize("cut_every", [10_000, 1_000_000])
@pytest.mark.parametrize("last", [b"", b"\n"])
def test_sound_and_the_times_of_its_words_come_line_by_line(cut_every: int, last: bytes) -> None:
    async def main() -> None:
        async with serving(answering(b"".join(LINES).rstrip() + last, cut_every)) as server:
            speech = CaptionedSpeech(KEY, server.url, Style("kokoro", "af_sky", speed=1.5))
            pieces = await spoken(speech)
            await speech.aclose()
        assert np.array_equal(np.concatenate([piece.pcm for piece in pieces]), np.concatenate([TONE, TONE]))
        words = [word for piece in pieces for word in piece.words]
        assert [(SAID[word.start : word.end], word.sample / SECOND) for word in words] == STARTS
        sent = 0
        for piece in pieces:  # words are told before they sound
            assert all(word.sample >= sent for word in piece.words)
            sent += len(piece.pcm)
        ((head, body),) = server.requests
        assert head.startswith("POST /dev/captioned_speech HTTP/1.1\r\n")
        assert f"authorization: bearer {KEY}" in head.lower()
        expected: dict[str, Any] = {"model": "kokoro", "voice": "af_sky", "speed": 1.5, "response_format": "pcm"}
        assert json.loads(body) == {**expected, "input": SAID, "stream": True}

    asyncio.run(main())


def test_what_was_heard_is_known_to_the_word() -> None:
    async def main() -> None:
        second = line(TONE, ("How", 0.0), ("are", 0.25), ("you", 0.5), ("?", 0.9))

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            first_clause = json.loads(server.requests[-1][1])["input"].startswith("Hello")
            await answering(LINES[0] if first_clause else second, 50_000)(reader, writer)

        async with serving(answer) as server:
            speech = CaptionedSpeech(None, server.url)
            playout = Playout(PlayoutOptions(client_buffer_ms=0))
            speaker = Speaker(speech, playout)
            speaker.begin(1, "response", "item")
            speaker.speak(1, SAID)
            speaker.finish(1)
            await asyncio.wait([task for task in asyncio.all_tasks() if task.get_name() == "speak 1"], timeout=5)
            heard: dict[int, int] = {}
            for frame in range(1, 101):
                playout.pull()
                head = playout.playhead(1)
                heard[frame * 20] = head.heard_chars if head else len(SAID)
            await speaker.aclose()
            await speech.aclose()
        assert [heard[ms] for ms in (480, 500, 980, 1240, 1260, 1480, 1500, 2000)] == [
            0,
            len("Hello"),
            len("Hello"),
            len("Hello there."),
            len("Hello there. How"),
            len("Hello there. How"),
            len("Hello there. How are"),
            len(SAID),
        ]

    asyncio.run(main())


def test_a_language_without_word_times_is_spoken_all_the_same() -> None:
    async def main() -> None:
        async with serving(answering(line(TONE), 50_000)) as server:
            speech = CaptionedSpeech(None, server.url)
            pieces = await spoken(speech, "Hola")
            await speech.aclose()
        assert sum(len(piece.pcm) for piece in pieces) == SECOND
        assert not any(piece.words for piece in pieces)

    asyncio.run(main())


def test_a_cut_closes_the_connection() -> None:
    async def main() -> None:
        async with serving(one_line_and_hang) as server:
            speech = CaptionedSpeech(None, server.url)
            async with aclosing(speech.speak(SAID)) as pieces:
                assert len((await anext(pieces)).words) == 2
            await asyncio.wait_for(server.disconnected.wait(), 5)
            await speech.aclose()

    asyncio.run(main())


JSON = "application/json"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (hang, "engine_timeout"),
        (one_line_and_hang, "engine_timeout"),
        (break_off, "engine_failed"),
        (reset, "engine_failed"),
        (no_http, "engine_failed"),
        (whole(b"<html>", "text/html"), "engine_failed"),
        (whole(b'{"error": "no"}', JSON), "engine_failed"),
        (whole(b'{"audio": "\xff"}', JSON), "engine_failed"),
        (whole(b'{"audio": "not base64!"}', JSON), "engine_failed"),
        (whole(b'{"audio": "", "timestamps": [{"word": "a", "start_time": "b"}]}', JSON), "engine_failed"),
        (whole(b" " * (MAX_LINE_BYTES + 1), JSON), "engine_failed"),
        (whole(line(np.concatenate([TONE] * 60)), JSON), "engine_failed"),
        (whole(TEXT.encode(), JSON, "404 Not Found"), "engine_unavailable"),
        (whole(TEXT.encode(), JSON, "429 Too Many Requests"), "engine_failed"),
        (whole(TEXT.encode(), JSON, "500 Internal Server Error"), "engine_failed"),
    ],
)
def test_what_goes_wrong_is_told(answer: Answer, code: str) -> None:
    async def main() -> None:
        async with serving(answer) as server:
            speech = CaptionedSpeech(KEY, server.url, read_timeout_s=0.1)
            with pytest.raises(SpeechError) as error:
                await spoken(speech, TEXT)
            await speech.aclose()
        assert error.value.code == code
        assert KEY not in str(error.value)
        assert TEXT not in str(error.value)

    asyncio.run(main())


def test_what_is_no_address_is_told() -> None:
    for address in ("", "nowhere", "http://host:port"):
        with pytest.raises(SpeechError) as error:
            CaptionedSpeech(None, address)
        assert error.value.code == "engine_unavailable"


def test_each_text_may_be_spoken_in_another_voice() -> None:
    async def main() -> None:
        async with serving(whole(line(TONE), JSON)) as server:
            speech = CaptionedSpeech(None, server.url)
            assert isinstance(speech, Versatile)
            assert speech.voice == "af_heart"
            async for _ in speech.speak_as(SAID, Manner("bf_emma", 0.5)):
                pass
            await speech.aclose()
        sent = json.loads(server.requests[0][1])
        assert (sent["voice"], sent["speed"]) == ("bf_emma", 0.5)

    asyncio.run(main())
