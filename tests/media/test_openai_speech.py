"""OpenAI's audio API against a real HTTP server on loopback that speaks its two endpoints."""

import asyncio
import io
import json
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, strategies as st

from media.frames import MIC_RATE_HZ, Pcm, silence
from media.speech import SpeechError
from media.speech.openai import MAX_UTTERANCE_S, OpenAISpeech, OpenAITranscription, Pieces

KEY = "sk-not-to-be-told"
TEXT = "Nobody else should read this."
TONE: Pcm = (8000 * np.sin(np.arange(24_000) / 10)).astype(np.int16)

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Server:
    """Answers every request as told and remembers it."""

    answer: Answer
    url: str = ""
    requests: list[tuple[str, bytes]] = field(default_factory=list)
    connections: int = 0
    disconnected: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = int(head.lower().split("content-length:")[1].split("\r\n")[0])
                self.requests.append((head, await reader.readexactly(length)))
                await self.answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.disconnected.set()
        finally:
            writer.close()


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[Server]:
    server = Server(answer)
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        listener.close()
        await listener.wait_closed()


def whole(body: bytes, content_type: str = "audio/pcm", status: str = "200 OK") -> Answer:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(
            f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        )
        writer.write(body)
        await writer.drain()

    return answer


def chunked(chunks: list[bytes]) -> Answer:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: audio/pcm\r\ntransfer-encoding: chunked\r\n\r\n")
        for chunk in chunks:
            writer.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    return answer


async def start_and_hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A tenth of a second of sound, then nothing until the client goes away."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: audio/pcm\r\ntransfer-encoding: chunked\r\n\r\n")
    sound = TONE[:2400].tobytes()
    writer.write(f"{len(sound):x}\r\n".encode() + sound + b"\r\n")
    await writer.drain()
    await hang(reader, writer)


async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    assert await reader.read() == b""
    raise ConnectionError


async def break_off(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: audio/pcm\r\ncontent-length: 9600\r\n\r\n" + TONE[:2400].tobytes())
    await writer.drain()
    raise ConnectionError


async def spoken(speech: OpenAISpeech, text: str = TEXT) -> list[Pcm]:
    return [piece.pcm async for piece in speech.speak(text)]


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


def test_speech_comes_as_it_was_sent_in_pieces_of_20_to_100_ms() -> None:
    async def main() -> None:
        data = TONE.tobytes()
        cuts = [0, 1, 2, 961, 962, 5000, 5001, 20_001, len(data)]
        chunks = [data[start:end] for start, end in pairwise(cuts)]
        async with serving(chunked([*chunks, b"\x01"])) as server:
            speech = OpenAISpeech(KEY, server.url, model="a-model", voice="a-voice")
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


@given(st.lists(st.binary(max_size=6000), max_size=8))
def test_pieces_joined_are_the_bytes_but_for_half_a_sample(chunks: list[bytes]) -> None:
    pieces = Pieces()
    given_ = [piece for chunk in chunks for piece in pieces.take(chunk)]
    assert all(480 <= len(piece) <= 2400 for piece in given_)
    data = b"".join(chunks)
    assert b"".join(piece.tobytes() for piece in (*given_, pieces.rest())) == data[: len(data) // 2 * 2]


def test_an_utterance_can_be_judged_before_it_ends_and_goes_on() -> None:
    async def main() -> None:
        async with serving(whole(b'{"text": "Uh-huh."}', "application/json")) as server:
            transcription = OpenAITranscription(KEY, server.url, model="a-model", language="en")
            utterance = transcription.listen()
            utterance.feed(TONE)
            assert await utterance.partial() == "Uh-huh."
            utterance.feed(TONE)
            assert await utterance.finish() == "Uh-huh."
            await transcription.aclose()
        (_, first), (_, second) = server.requests
        assert len(second) - len(first) == len(TONE) * 2

    asyncio.run(main())


def test_an_utterance_is_uploaded_as_wav_when_it_ends() -> None:
    async def main() -> None:
        async with serving(whole(b'{"text": " Hello there. "}', "application/json")) as server:
            transcription = OpenAITranscription(KEY, server.url, model="a-model", language="en")
            assert transcription.name == "a-model"
            utterance = transcription.listen()
            for at in range(0, len(TONE), 320):
                utterance.feed(TONE[at : at + 320])
            assert server.requests == []
            assert await utterance.finish() == "Hello there."
            assert await utterance.finish() == await utterance.partial() == "Hello there."
            utterance.cancel()
            await transcription.aclose()
        ((head, body),) = server.requests
        assert head.startswith("POST /v1/audio/transcriptions HTTP/1.1\r\n")
        for part in (b'name="model"\r\n\r\na-model\r\n', b'name="language"\r\n\r\nen\r\n', b'filename="speech.wav"'):
            assert part in body
        with wave.open(io.BytesIO(body[body.index(b"RIFF") :])) as wav:
            assert (wav.getframerate(), wav.getnchannels(), wav.getsampwidth()) == (MIC_RATE_HZ, 1, 2)
            assert wav.readframes(wav.getnframes()) == TONE.tobytes()

    asyncio.run(main())


def test_no_language_is_sent_when_none_is_known() -> None:
    async def main() -> None:
        async with serving(whole(b'{"text": ""}', "application/json")) as server:
            transcription = OpenAITranscription(KEY, server.url)
            utterance = transcription.listen()
            utterance.feed(TONE)
            assert await utterance.finish() == ""
            await transcription.aclose()
        assert b"language" not in server.requests[0][1]

    asyncio.run(main())


def test_silence_and_clicks_are_not_uploaded() -> None:
    async def main() -> None:
        async with serving(whole(b"{}", "application/json")) as server:
            transcription = OpenAITranscription(KEY, server.url)
            for sound in (silence(0), silence(MIC_RATE_HZ), TONE[:1000]):
                utterance = transcription.listen()
                utterance.feed(sound)
                assert await utterance.finish() == ""
            await transcription.aclose()
        assert server.requests == []

    asyncio.run(main())


def test_a_cancelled_utterance_has_no_words() -> None:
    async def main() -> None:
        async with serving(whole(b'{"text": "Hello"}', "application/json")) as server:
            transcription = OpenAITranscription(KEY, server.url)
            utterance = transcription.listen()
            utterance.feed(TONE)
            utterance.cancel()
            utterance.feed(TONE)
            assert await utterance.finish() == ""
            assert server.requests == []
            utterance = transcription.listen()
            utterance.feed(TONE)
            finishing = asyncio.create_task(utterance.finish())
            await asyncio.sleep(0)
            utterance.cancel()
            assert await finishing == ""
            await transcription.aclose()

    asyncio.run(main())


def test_of_an_endless_utterance_the_newest_sound_is_kept() -> None:
    async def main() -> None:
        async with serving(whole(b'{"text": "Hello"}', "application/json")) as server:
            transcription = OpenAITranscription(KEY, server.url)
            utterance = transcription.listen()
            utterance.feed(TONE)
            for _ in range(MAX_UTTERANCE_S):
                utterance.feed(silence(MIC_RATE_HZ))
            assert await utterance.finish() == ""
            await transcription.aclose()
        assert server.requests == []

    asyncio.run(main())


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


def test_a_server_that_breaks_off_has_failed() -> None:
    assert [error.code for error in failure_of(break_off)] == ["engine_failed", "engine_failed"]


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
