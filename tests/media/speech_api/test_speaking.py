"""``POST /audio/speech`` against a real HTTP server on loopback."""

import asyncio
import json
from contextlib import aclosing
from itertools import pairwise

import numpy as np
import pytest

from media.frames import Pcm
from media.speech import Manner, Versatile
from media.speech.api.speaking import OpenAISpeech, Style
from tests.media.speech_api.server import KEY, TEXT, TONE, chunked, serving, start_and_hang, whole


async def spoken(speech: OpenAISpeech, text: str = TEXT) -> list[Pcm]:
    return [piece.pcm async for piece in speech.speak(text)]


def test_speech_comes_as_it_was_sent_in_pieces_of_20_to_100_ms() -> None:
    async def main() -> None:
        data = TONE.tobytes()
        cuts = [0, 1, 2, 961, 962, 5000, 5001, 20_001, len(data)]
        chunks = [data[start:end] for start, end in pairwise(cuts)]
        async with serving(chunked([*chunks, b"\x01"])) as server:
            speech = OpenAISpeech(KEY, server.url, Style("a-model", "a-voice"))
            pieces = await spoken(speech)
            await speech.aclose()
        assert np.array_equal(np.concatenate(pieces), TONE)
        assert all(480 <= len(piece) <= 2400 for piece in pieces[:-1])
        head, body = server.requests[0]
        assert head.startswith("POST /v1/audio/speech HTTP/1.1\r\n")
        assert f"authorization: bearer {KEY}" in head.lower()
        assert json.loads(body) == {"input": TEXT, "model": "a-model", "voice": "a-voice", "response_format": "pcm"}

    asyncio.run(main())


def test_the_first_piece_does_not_wait_for_the_rest_and_closing_tells_the_server() -> None:
    async def main() -> None:
        async with serving(start_and_hang) as server:
            speech = OpenAISpeech(KEY, server.url)
            async with aclosing(speech.speak(TEXT)) as pieces:
                first = await anext(pieces)
                assert np.array_equal(first.pcm, TONE[:2400])
                assert first.words == ()
            await asyncio.wait_for(server.disconnected.wait(), 5)
            await speech.aclose()

    asyncio.run(main())


def test_cancelling_the_task_that_listens_closes_the_connection() -> None:
    async def main() -> None:
        async with serving(start_and_hang) as server:
            speech = OpenAISpeech(KEY, server.url)
            heard = asyncio.Event()

            async def speak() -> None:
                async for _ in speech.speak(TEXT):
                    heard.set()

            task = asyncio.create_task(speak())
            await heard.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.wait_for(server.disconnected.wait(), 5)
            await speech.aclose()

    asyncio.run(main())


def test_clauses_of_an_answer_share_a_connection() -> None:
    async def main() -> None:
        async with serving(whole(TONE.tobytes())) as server:
            speech = OpenAISpeech(KEY, server.url)
            for _ in range(3):
                assert len(await spoken(speech)) == 10
            await speech.aclose()
        assert (len(server.requests), server.connections) == (3, 1)

    asyncio.run(main())


def test_what_has_no_words_is_not_sent() -> None:
    async def main() -> None:
        async with serving(whole(b"")) as server:
            speech = OpenAISpeech(KEY, server.url)
            for text in ("", " \n", "…", "**", "👍"):
                assert await spoken(speech, text) == []
            await speech.aclose()
        assert server.requests == []

    asyncio.run(main())


def test_the_style_is_sent_where_it_is_given() -> None:
    async def main() -> None:
        async with serving(whole(TONE.tobytes())) as server:
            speech = OpenAISpeech(KEY, server.url, Style("m", "v", instructions="Whisper.", speed=1.5))
            await spoken(speech)
            await speech.aclose()
        sent = json.loads(server.requests[0][1])
        assert (sent["instructions"], sent["speed"]) == ("Whisper.", 1.5)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("manner", "voice", "speed"),
    [
        (Manner(), "v", 2.0),
        (Manner("w"), "w", 2.0),
        (Manner(speed=0.5), "v", None),
        (Manner(speed=1.5), "v", 3.0),
        (Manner(speed=3), "v", 4.0),
    ],
)
def test_each_text_may_be_spoken_in_another_manner(manner: Manner, voice: str, speed: float | None) -> None:
    async def main() -> None:
        async with serving(whole(TONE.tobytes())) as server:
            speech = OpenAISpeech(KEY, server.url, Style("m", "v", speed=2.0))
            assert isinstance(speech, Versatile)
            assert speech.voice == "v"
            async for _ in speech.speak_as(TEXT, manner):
                pass
            await speech.aclose()
        sent = json.loads(server.requests[0][1])
        assert (sent["voice"], sent.get("speed")) == (voice, speed)

    asyncio.run(main())
