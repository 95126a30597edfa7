"""Speech may come from other servers than the model: their addresses, and which key goes where."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway.engines import choose_engines
from gateway.errors import SettingsError
from gateway.settings import Settings, with_secrets
from tests.media.live.fake_realtime_transcription import FakeTranscription
from tests.media.speech_api.server import TONE, Server, serving, whole

BOTH: dict[str, Any] = {"synthesizer": "openai", "recognizer": "openai"}


def heads(*servers: Server) -> list[str]:
    return ["\n".join(head.lower() for head, _ in server.requests) for server in servers]


async def use(settings: Settings) -> None:
    """Speak, and listen."""
    engines = choose_engines(with_secrets(settings))
    assert engines is not None
    async for _ in engines.synthesizer.speak("Hello."):
        pass
    utterance = engines.recognizer.listen()
    utterance.feed(TONE)
    await utterance.finish()
    await engines.synthesizer.aclose()
    await engines.recognizer.aclose()


def test_each_server_gets_its_own_key_and_no_other(tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_text("sk-listens\n")

    async def main() -> None:
        sound, words = whole(TONE.tobytes()), whole(b'{"text": "Hi"}', "application/json")
        async with serving(sound) as speaks, serving(words) as listens:
            await use(
                Settings(
                    **BOTH,
                    api_key="sk-model",
                    base_url="http://127.0.0.1:9/v1",
                    tts_base_url=speaks.url,
                    tts_api_key="sk-speaks",
                    stt_base_url=listens.url,
                    stt_api_key_file=str(key_file),
                    stt_language="en",
                )
            )
            to_speaker, to_listener = heads(speaks, listens)
            assert "bearer sk-speaks" in to_speaker
            assert "bearer sk-listens" in to_listener
            assert "sk-model" not in to_speaker + to_listener

    asyncio.run(main())


def test_a_server_without_a_key_does_not_get_that_of_the_model() -> None:
    async def main() -> None:
        async with serving(whole(TONE.tobytes())) as speaks:
            settings = Settings(
                synthesizer="openai",
                recognizer="tests.media.engines:ScriptedRecognizer",
                api_key="sk-model",
                tts_base_url=speaks.url,
            )
            await use(settings)
            assert "sk-model" not in heads(speaks)[0]

    asyncio.run(main())


def test_without_a_server_of_its_own_speech_is_where_the_model_is() -> None:
    async def main() -> None:
        async with serving(whole(TONE.tobytes())) as model:
            settings = Settings(
                synthesizer="openai",
                recognizer="tests.media.engines:ScriptedRecognizer",
                api_key="sk-model",
                base_url=model.url,
            )
            await use(settings)
            assert "bearer sk-model" in heads(model)[0]

    asyncio.run(main())


@pytest.mark.parametrize(
    "given",
    [
        {"tts_base_url": "localhost:8880"},
        {"stt_base_url": "localhost:8880"},
        {"tts_api_key": "a", "tts_api_key_file": "b"},
        {"tts_speed": 0.1},
        {"tts_speed": 4.1},
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(given))):
        Settings(**given)


def test_keys_are_not_shown() -> None:
    settings = Settings(tts_api_key="sk-not-to-be-told", stt_api_key="sk-not-to-be-told")
    assert "sk-not-to-be-told" not in repr(settings)


def test_kokoro_is_asked_for_its_word_times() -> None:
    async def main() -> None:
        async with serving(whole(b'{"audio": ""}', "application/json")) as speaks:
            settings = Settings(
                synthesizer="kokoro",
                recognizer="tests.media.engines:ScriptedRecognizer",
                tts_base_url=speaks.url,
                voice="bf_emma",
            )
            await use(settings)
            ((head, body),) = speaks.requests
            assert head.startswith("POST /dev/captioned_speech ")
            assert b'"voice":"bf_emma"' in body.replace(b": ", b":")

    asyncio.run(main())


def test_kokoro_needs_an_address() -> None:
    with pytest.raises(SettingsError, match="base URL"):
        choose_engines(Settings(synthesizer="kokoro", recognizer="none"))


def test_live_transcription_has_the_server_and_the_key_of_recognizers() -> None:
    async def main() -> None:
        async with FakeTranscription("Hi").running() as listens:
            settings = Settings(
                synthesizer="tests.media.engines:ToneSynthesizer",
                recognizer="openai_realtime",
                api_key="sk-model",
                stt_base_url=listens.base_url,
                stt_api_key="sk-listens",
                stt_language="fr",
            )
            await use(settings)
            (session,) = listens.sessions
            assert session.authorization == "Bearer sk-listens"
            expected = {"model": "gpt-live-transcribe", "languages": ["fr"]}
            assert session.update["audio"]["input"]["transcription"] == expected

    asyncio.run(main())
