"""One engine, several voices."""

import asyncio

import pytest

from media.speech import ManyVoiced, Synthesizer
from media.speech.voices import WantedVoice

pytest.importorskip("espeakng_loader")

from media.speech.espeak import Espeak

NEARLY = 50
"""Samples: espeak-ng does not make the same sound twice to the sample."""


def test_each_text_is_spoken_in_the_voice_that_is_wanted_then() -> None:
    wanted = ["", "en-us", "de", "de", ""]

    async def length(engine: Synthesizer, text: str) -> int:
        return sum([len(speech.pcm) async for speech in engine.speak(text)])

    async def main() -> list[int]:
        engine = Espeak()
        assert isinstance(engine, ManyVoiced)
        chosen = WantedVoice(engine, lambda: wanted.pop(0))
        assert chosen.exact_words
        said = [await length(chosen, "Wie geht es Ihnen heute?") for _ in range(5)]
        await chosen.aclose()
        assert await length(engine, "Ja.")  # it is everybody's
        await engine.aclose()
        return said

    usual, english, german, again, last = asyncio.run(main())
    assert all(abs(length - usual) < NEARLY for length in (english, last))
    assert abs(again - german) < NEARLY
    assert abs(german - usual) > 20 * NEARLY
