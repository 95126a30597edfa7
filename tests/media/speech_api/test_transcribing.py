"""``POST /audio/transcriptions`` against a real HTTP server on loopback."""

import asyncio
import io
import wave

import pytest

from media.frames import MIC_RATE_HZ, silence
from media.speech import SpeechError
from media.speech.api.transcribing import MAX_UTTERANCE_S, OpenAITranscription
from tests.media.speech_api.server import KEY, TONE, events, serving, whole


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


DELTAS = ('{"type": "transcript.text.delta", "delta": "Hello"}', '{"type": "transcript.text.delta", "delta": " there"}')
DONE = '{"type": "transcript.text.done", "text": "Hello there. "}'


def test_words_are_asked_for_as_a_stream_and_known_while_they_come() -> None:
    async def main() -> None:
        more = asyncio.Event()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 208\r\n\r\n")
            writer.write("".join(f"data: {each}\n\n" for each in DELTAS).encode())
            await writer.drain()
            await more.wait()
            writer.write(f"data: {DONE}\n\n".encode().ljust(208 - sum(len(each) + 8 for each in DELTAS)))
            await writer.drain()

        async with serving(answer) as server:
            transcription = OpenAITranscription(KEY, server.url)
            told: list[str] = []
            utterance = transcription.listen()
            utterance.feed(TONE)
            finishing = asyncio.create_task(utterance.finish())
            await asyncio.sleep(0)
            while (words := await utterance.partial()) != "Hello there":
                told.append(words)
                await asyncio.sleep(0)
            more.set()
            assert await finishing == "Hello there."
            assert set(told) <= {"", "Hello"}
            await transcription.aclose()
        ((_, body),) = server.requests
        assert b'name="stream"\r\n\r\ntrue\r\n' in body

    asyncio.run(main())


@pytest.mark.parametrize(
    ("payloads", "words"),
    [
        ((*DELTAS, DONE), "Hello there."),
        ((*DELTAS, "[DONE]"), "Hello there"),
        (('{"type": "news"}', '{"choices": [{"delta": {"content": " Hi"}}]}', '{"choices": []}', "[DONE]"), "Hi"),
        (('{"type": "transcript.text.done", "text": ""}',), ""),
    ],
)
def test_streams_of_other_servers_are_understood(payloads: tuple[str, ...], words: str) -> None:
    async def main() -> None:
        async with serving(events(*payloads)) as server:
            transcription = OpenAITranscription(KEY, server.url)
            assert await transcription.transcribe(TONE) == words
            await transcription.aclose()

    asyncio.run(main())


def test_a_stream_without_words_has_failed() -> None:
    async def main() -> None:
        async with serving(events('{"type": "news"}')) as server:
            transcription = OpenAITranscription(KEY, server.url)
            with pytest.raises(SpeechError, match="no transcript"):
                await transcription.transcribe(TONE)
            await transcription.aclose()

    asyncio.run(main())


def test_a_server_that_refuses_streams_is_asked_for_none_again() -> None:
    async def main() -> None:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            refused = b'name="stream"' in server.requests[-1][1]
            status = "422 Unprocessable Content" if refused else "200 OK"
            await whole(b'{"text": "Hello."}', "application/json", status)(reader, writer)

        async with serving(answer) as server:
            transcription = OpenAITranscription(KEY, server.url)
            for _ in range(2):
                assert await transcription.transcribe(TONE) == "Hello."
            await transcription.aclose()
        assert [b'name="stream"' in body for _, body in server.requests] == [True, False, False]

    asyncio.run(main())
