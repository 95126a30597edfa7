"""pocketsphinx, the real one, on the callers in tests/data."""

import asyncio
import wave
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from media.frames import MIC_FRAME, MIC_RATE_HZ, Pcm, from_bytes, silence
from media.resample import resample
from media.speech import Recognition, SpeechError
from media.speech.sphinx import Sphinx, available
from media.speech.sphinx_worker import Level

CALLERS = Path(__file__).parents[1] / "data" / "callers"
BENCH = Path(__file__).parents[3] / "shared" / "data" / "callers"
"""Backchannels. They are not part of the project."""


HEARD = {
    "ask_long_story": "tell me a long story about the sea",
    "ask_time": "what time is it",
    "stop": "stop",
    "wait_stop": "wait stop",
    "what_is_my_name": "what is my name",
    "my_name": "my name is * and i live in berlin",
    "no_something_else": "* tell me about the mountains instead",
    "ask_count": "* from one to fifty",
    "thank_you": "* that is all",
}
"""What each caller says; an asterisk stands for what the demo model gets wrong."""


def caller(name: str) -> Pcm:
    with wave.open(str(CALLERS / f"{name}.wav")) as file:
        assert file.getframerate() == MIC_RATE_HZ
        return from_bytes(file.readframes(file.getnframes()))


def noise(seconds: float, rms: float) -> Pcm:
    samples = np.random.default_rng(1).standard_normal(round(seconds * MIC_RATE_HZ)) * rms
    return samples.astype(np.int16)


def listening(sphinx: Sphinx, *sounds: Pcm) -> Recognition:
    utterance = sphinx.listen()
    for sound in sounds:
        for at in range(0, len(sound), MIC_FRAME):
            utterance.feed(sound[at : at + MIC_FRAME])
    return utterance


def with_sphinx(test: Callable[[Sphinx], Coroutine[Any, Any, None]], decoders: int = 2) -> None:
    async def main() -> None:
        sphinx = Sphinx(decoders)
        try:
            await test(sphinx)
        finally:
            await sphinx.aclose()

    asyncio.run(main())


def test_the_callers_are_understood() -> None:
    async def test(sphinx: Sphinx) -> None:
        await sphinx.warm_up()
        for name, words in HEARD.items():
            text = await listening(sphinx, caller(name)).finish()
            before, _, after = words.partition("*")
            assert text.startswith(before)
            assert text.endswith(after)
            assert len(text.split()) <= len(words.split()) + 1

    assert available()
    with_sphinx(test)


def test_words_come_while_the_utterance_goes_on_and_stay_when_it_ends() -> None:
    async def test(sphinx: Sphinx) -> None:
        assert sphinx.name == "pocketsphinx (demo quality)"
        story = caller("ask_long_story")
        utterance = listening(sphinx, silence(MIC_RATE_HZ // 4))
        assert await utterance.partial() == ""
        for at in range(0, len(story), MIC_FRAME):
            utterance.feed(story[at : at + MIC_FRAME])
        asked = asyncio.create_task(utterance.partial())
        await asyncio.sleep(0)
        asked.cancel()  # its answer must not be taken for the next question's
        partials = [utterance.partial() for _ in range(2)]
        first, second, text = await asyncio.gather(*partials, utterance.finish())
        assert "story" in first
        assert "story" in second
        assert text == await utterance.finish() == await utterance.partial()
        utterance.cancel()
        utterance.feed(story)
        assert await utterance.finish() == text

    with_sphinx(test)


@pytest.mark.parametrize(("name", "text"), [("bench_b1", "uh-huh"), ("bench_b2", "okay"), ("bench_b3", "mhm")])
def test_short_sounds_that_are_no_words_are_told_apart_when_they_are_judged(name: str, text: str) -> None:
    path = BENCH / f"{name}.wav"
    if not path.exists():
        pytest.skip("the bench clips (shared/data/callers) are not beside the project")
    with wave.open(str(path)) as file:
        said = resample(from_bytes(file.readframes(file.getnframes())), file.getframerate(), MIC_RATE_HZ)

    async def test(sphinx: Sphinx) -> None:
        await sphinx.warm_up()
        heard = np.concatenate((noise(0.3, 8), said, noise(0.25, 8)))
        assert await listening(sphinx, heard).judge() == text

    with_sphinx(test)


@pytest.mark.parametrize("gain", [1.0, 0.25])
def test_a_short_word_is_judged_by_its_words_even_before_its_level_is_known(gain: float) -> None:
    async def test(sphinx: Sphinx) -> None:
        said = (caller("stop") * gain).astype(np.int16)
        utterance = listening(sphinx, noise(0.3, 8), said)
        assert await utterance.judge() == "stop"
        utterance.cancel()
        assert await utterance.judge() == ""

    with_sphinx(test)


def test_what_cannot_be_judged_now_is_told_as_that() -> None:
    async def test(sphinx: Sphinx) -> None:
        holding = listening(sphinx, caller("ask_long_story"))
        assert "story" in await holding.partial()
        with pytest.raises(SpeechError) as error:
            await listening(sphinx, caller("stop")).judge()
        assert error.value.code == "engine_timeout"
        assert await holding.finish() == "tell me a long story about the sea"

    with_sphinx(test, decoders=1)


def test_more_may_speak_at_once_than_there_are_decoders() -> None:
    async def test(sphinx: Sphinx) -> None:
        utterances = [listening(sphinx, caller("what_is_my_name")) for _ in range(3)]
        for utterance in reversed(utterances[1:]):
            assert await utterance.partial() == ""
        texts = await asyncio.gather(*(utterance.finish() for utterance in reversed(utterances)))
        assert texts == ["what is my name"] * 3

    with_sphinx(test, decoders=1)


def test_a_forgotten_utterance_frees_its_decoder_and_has_no_words() -> None:
    async def test(sphinx: Sphinx) -> None:
        holding = listening(sphinx, caller("stop"))
        waiting = listening(sphinx, caller("stop"))
        forgotten = listening(sphinx, caller("stop"))
        finishing = asyncio.create_task(forgotten.finish())
        await asyncio.sleep(0)
        for utterance in (holding, holding, forgotten):
            utterance.cancel()
        assert await waiting.finish() == "stop"
        assert await finishing == await holding.finish() == await holding.partial() == ""

    with_sphinx(test, decoders=1)


def test_what_holds_no_voice_holds_no_words() -> None:
    async def test(sphinx: Sphinx) -> None:
        for sound in (silence(0), silence(MIC_RATE_HZ), noise(2, 300), caller("stop")[:800]):
            assert await listening(sphinx, sound).finish() == ""

    with_sphinx(test)


def test_minutes_of_silence_before_a_word_do_not_matter() -> None:
    async def test(sphinx: Sphinx) -> None:
        utterance = sphinx.listen()
        utterance.feed(np.concatenate((noise(120, 20), caller("stop"))))
        assert await utterance.finish() == "stop"

    with_sphinx(test)


@pytest.mark.parametrize("gain", [0.05, 1.0, 1.5])
def test_quiet_and_loud_callers_are_brought_to_one_level(gain: float) -> None:
    level, said = Level(), caller("ask_long_story")
    loud = (np.concatenate((silence(MIC_RATE_HZ), said)) * gain / 2).astype(np.int16)
    pieces = [level.take(loud[at : at + MIC_FRAME]) for at in range(0, len(loud), MIC_FRAME)]
    given = np.concatenate((*pieces, level.finish()))
    assert 0 <= len(given) - len(said) <= MIC_RATE_HZ * 0.3 + MIC_FRAME
    rms = float(np.sqrt(np.mean(given[-len(said) :].astype(float) ** 2)))
    assert -28 < 20 * np.log10(rms / 32768) < -20


def test_a_model_that_is_not_there_is_told_by_finish_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POCKETSPHINX_PATH", str(tmp_path))

    async def test(sphinx: Sphinx) -> None:
        utterance = listening(sphinx, caller("stop"))
        assert await utterance.partial() == ""
        utterance.feed(silence(100))
        with pytest.raises(SpeechError) as error:
            await utterance.finish()
        assert error.value.code == "engine_failed"

    with_sphinx(test)


def test_there_is_at_least_one_decoder() -> None:
    with pytest.raises(ValueError, match="decoder"):
        Sphinx(0)
