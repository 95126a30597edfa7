"""Answers on their way from a real speech server on loopback into a playout, clause by clause."""

import asyncio
import json

import numpy as np
import pytest

from media.frames import VOICE_FRAME, VOICE_RATE_HZ
from media.speaking.playout import Edge, Playout, PlayoutOptions, Stopped
from media.speaking.speaker import Speaker
from media.speech.api.speaking import OpenAISpeech
from tests.media.speech_api.server import (
    KEY,
    TONE,
    Answer,
    Server,
    break_off,
    hang,
    no_http,
    reset,
    serving,
    start_and_hang,
    whole,
)

CLAUSES = ["Here is the first clause. ", "And the second one comes after it. ", "The third one is the last of them."]
SPOKEN_S = len(TONE) / VOICE_RATE_HZ


class Answering:
    """One answer, its speaker and its playout."""

    def __init__(self, server: Server, read_timeout_s: float = 10.0) -> None:
        self.synthesizer = OpenAISpeech(KEY, server.url, read_timeout_s=read_timeout_s)
        self.playout = Playout(PlayoutOptions(client_buffer_ms=0, max_queued_ms=1_500))
        self.speaker = Speaker(self.synthesizer, self.playout)
        self.edges: list[Edge] = []
        self.frames = 0
        assert self.speaker.begin(1, "response", "item")

    def say(self, *clauses: str) -> None:
        for clause in clauses:
            self.speaker.speak(1, clause)
        self.speaker.finish(1)

    def play(self) -> None:
        """20 ms."""
        self.frames += self.playout.pull() is not None
        self.edges += self.playout.drain()
        self.speaker.made_room()

    async def play_out(self) -> Stopped:
        """Play until the answer has stopped."""
        while not self.edges or not isinstance(self.edges[-1], Stopped):
            self.play()
            await asyncio.sleep(0)
        return self.edges[-1]

    async def aclose(self) -> None:
        await self.speaker.aclose()
        await self.synthesizer.aclose()


async def requests(server: Server, count: int) -> list[str]:
    """The texts of the first *count* requests, as soon as they have come."""
    await server.requested(count)
    return [json.loads(body)["input"] for _, body in server.requests]


def test_the_next_clause_is_asked_for_while_the_one_before_it_sounds() -> None:
    async def main() -> None:
        async with serving(whole(TONE.tobytes())) as server:
            answering = Answering(server)
            answering.say(*CLAUSES)
            assert await requests(server, 2) == CLAUSES[:2]
            assert answering.frames == 0  # none of the first one has been played
            end = await answering.play_out()
            assert await requests(server, 3) == CLAUSES
            assert (end.whole, end.heard_chars) == (True, len("".join(CLAUSES)))
            assert end.heard_ms == 3 * SPOKEN_S * 1000
            await answering.aclose()

    asyncio.run(main())


def test_no_clause_is_asked_for_that_has_no_room() -> None:
    async def main() -> None:
        async with serving(whole(TONE.tobytes())) as server:
            answering = Answering(server)
            answering.say(*CLAUSES)
            await requests(server, 2)
            while len(server.requests) < 3:
                answering.play()
                await asyncio.sleep(0)
            assert answering.frames * VOICE_FRAME >= 2 * len(TONE) - 1.5 * VOICE_RATE_HZ
            await answering.aclose()

    asyncio.run(main())


@pytest.mark.parametrize("answer", [start_and_hang, hang])
def test_a_cut_closes_the_connection_to_the_speech_server(answer: Answer) -> None:
    async def main() -> None:
        async with serving(answer) as server:
            answering = Answering(server)
            answering.say(*CLAUSES)
            await requests(server, 1)
            answering.speaker.stop(1)
            await asyncio.wait_for(server.disconnected.wait(), 5)
            assert len(server.requests) == 1
            await answering.aclose()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("answer", "sounds"),
    [
        (hang, False),
        (start_and_hang, True),
        (break_off, True),
        (reset, True),
        (no_http, False),
        (whole(b'{"error": {}}', "application/json"), False),
        (whole(b"{}", "application/json", "429 Too Many Requests"), False),
        (whole(b"<html>", "text/html", "500 Internal Server Error"), False),
    ],
)
def test_an_answer_whose_voice_fails_ends_where_it_fell_silent(answer: Answer, sounds: bool) -> None:
    async def main() -> None:
        async with serving(answer) as server:
            answering = Answering(server, read_timeout_s=0.05)
            answering.say(*CLAUSES)
            end = await asyncio.wait_for(answering.play_out(), 5)
            assert not end.whole
            assert end.heard_chars < len(CLAUSES[0])
            assert end.heard_ms == (100 if sounds else 0)
            assert len(server.requests) == 1  # the rest stands in the text alone
            await answering.aclose()

    asyncio.run(main())


def test_half_a_sample_at_the_end_is_no_sound() -> None:
    async def main() -> None:
        async with serving(whole(TONE.tobytes() + b"\x7f")) as server:
            answering = Answering(server)
            answering.say(CLAUSES[0])
            end = await answering.play_out()
            assert end.heard_ms == SPOKEN_S * 1000
            assert np.isclose(answering.frames * VOICE_FRAME, len(TONE), atol=VOICE_FRAME)
            await answering.aclose()

    asyncio.run(main())
