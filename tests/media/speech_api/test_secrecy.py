"""With everything said as loudly as it can, logs hold neither keys, nor words, nor sound."""

import asyncio
import base64
import logging

import pytest

from media.speech.api.captioned import CaptionedSpeech
from media.speech.api.speaking import OpenAISpeech
from media.speech.api.transcribing import OpenAITranscription
from media.speech.live.recognizer import LiveTranscription
from tests.media.live.fake_realtime_transcription import SECRET_WORDS, FakeTranscription
from tests.media.speech_api.server import KEY, TEXT, TONE, serving, whole
from tests.media.speech_api.test_captioned import line


def test_nothing_private_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def speak() -> None:
        async with serving(whole(TONE.tobytes())) as server:
            plain = OpenAISpeech(KEY, server.url)
            async for _ in plain.speak(TEXT):
                pass
            await plain.aclose()
        async with serving(whole(line(TONE, (TEXT, 0.0)), "application/json")) as server:
            captioned = CaptionedSpeech(KEY, server.url)
            async for _ in captioned.speak(TEXT):
                pass
            await captioned.aclose()

    async def listen() -> None:
        async with serving(whole(b'{"text": "' + TEXT.encode() + b'"}', "application/json")) as server:
            uploading = OpenAITranscription(KEY, server.url)
            assert await uploading.transcribe(TONE) == TEXT
            await uploading.aclose()
        async with FakeTranscription(SECRET_WORDS).running() as upstream:
            live = LiveTranscription(KEY, upstream.base_url)
            utterance = live.listen()
            utterance.feed(TONE)
            assert await utterance.finish() == SECRET_WORDS
            await live.aclose()

    with caplog.at_level(logging.DEBUG):
        asyncio.run(speak())
        asyncio.run(listen())
    # What the fake server itself logs is not ours.
    logged = "\n".join(
        f"{record.name} {record.getMessage()}" for record in caplog.records if record.name != "websockets.server"
    )
    sound = base64.b64encode(TONE.tobytes()).decode()[400:440]
    for private in (KEY, TEXT, SECRET_WORDS, sound):
        assert private not in logged
