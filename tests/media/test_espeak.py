"""espeak-ng, the real one: what it says, where its words are, and that it stops."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from media.frames import VOICE_RATE_HZ, Pcm
from media.speech import Manner, Speech, SpeechError, Versatile, Word
from media.speech.espeak import Espeak, available
from media.speech.espeak_worker import Tape, Voice

FULL_SCALE = 32768


def with_espeak(test: Callable[[Espeak], Coroutine[Any, Any, None]], **options: Any) -> None:
    async def main() -> None:
        espeak = Espeak(**options)
        try:
            await test(espeak)
        finally:
            await espeak.aclose()

    asyncio.run(main())


async def said(espeak: Espeak, text: str) -> tuple[Pcm, list[Word]]:
    """The sound of *text* and its words, each of which must come no later than its sound."""
    pieces: list[Pcm] = [np.zeros(0, np.int16)]
    words: list[Word] = []
    async for speech in espeak.speak(text):
        before = sum(map(len, pieces))
        assert all(word.sample >= before for word in speech.words)
        pieces.append(speech.pcm)
        words += speech.words
    return np.concatenate(pieces), words


def test_espeak_is_installed_here() -> None:
    assert available()


def test_words_are_found_in_the_text_that_was_given() -> None:
    expected = {
        "Hello, wide world!": "Hello wide world",
        "café déjà vu": "café déjà",
        "日本 is a country": "日本 is a country",
        "Now smile 😀 please": "Now smile 😀 please",
        "I have 1234 apples,\n3.14 pies.": "I have 1234 apples 3.14 pies",
        "Don't stop-go, e.g. here": "Don't stop-go e.g here",
        "He said “yes” (really) twice.": "He said yes really twice",
        "e\u0301te\u0301 is  summer": "e\u0301te\u0301 is summer",
        "nul\0and \x01bell\x07 and \ud800 lone": "nul and bell and lone",
        "if a<b> & c": "if a b & c",
        "# A title\n- is **very** bold, _or_ `code`.": "A title is very bold or code",
        "so 2 * 3": "so 2 * 3",
        "[[h@l'oU]] <break/> &amp;": "h @ l'oU break / & amp",
    }

    async def test(espeak: Espeak) -> None:
        for text, words in expected.items():
            pcm, found = await said(espeak, text)
            assert [text[word.start : word.end] for word in found] == words.split(" ")
            assert [word.sample for word in found] == sorted({word.sample for word in found})
            assert len(pcm) > found[-1].sample

    with_espeak(test)


def test_every_text_is_spoken_or_passed_over_with_its_words_in_order() -> None:
    plain = st.text(st.sampled_from("ab é日😀.,!?'’“”-<&\n\x01\u0301\u200b1%"), max_size=40)

    with asyncio.Runner() as runner:
        espeak = Espeak()

        @settings(max_examples=60)
        @given(st.one_of(plain, st.text(max_size=40)))
        def check(text: str) -> None:
            pcm, words = runner.run(said(espeak, text))
            ends = [0, *(word.end for word in words)]
            assert all(end <= word.start < word.end <= len(text) for end, word in zip(ends, words, strict=False))
            assert all(not text[word.start].isspace() and not text[word.end - 1].isspace() for word in words)
            assert [word.sample for word in words] == sorted(word.sample for word in words)
            assert bool(len(pcm)) == bool(words)
            assert not words or words[-1].sample <= len(pcm)

        check()
        runner.run(espeak.aclose())


def test_a_word_begins_where_its_sound_does() -> None:
    async def test(espeak: Espeak) -> None:
        pcm, words = await said(espeak, "Tango. Tango. Tango. Tango.")
        step = VOICE_RATE_HZ // 200
        loud = [bool(np.abs(pcm[at : at + step].astype(int)).max() > 300) for at in range(0, len(pcm), step)]
        onsets = [at * step for at in range(1, len(loud)) if loud[at] and not any(loud[max(0, at - 20) : at])]
        assert len(words) == 4
        # A T begins with 20 to 40 ms of closed lips.
        starts = [word.sample for word in words[1:]]
        assert all(0 <= onset - start < 0.06 * VOICE_RATE_HZ for onset, start in zip(onsets[-3:], starts, strict=True))

    with_espeak(test)


def test_speech_is_as_loud_as_a_voice_and_never_clips() -> None:
    async def test(espeak: Espeak) -> None:
        text = "Actually, make it five days: and keep it under eight hundred pounds! Why not? I would, wouldn't you?"
        pcm, _ = await said(espeak, text)
        frames = pcm[: len(pcm) // 480 * 480].reshape(-1, 480).astype(float)
        levels = np.sqrt(np.mean(frames**2, axis=1))
        voiced = levels[levels > FULL_SCALE / 100]
        assert -24 < 20 * np.log10(np.sqrt(np.mean(voiced**2)) / FULL_SCALE) < -19
        assert np.abs(pcm.astype(int)).max() < 0.95 * FULL_SCALE

    with_espeak(test)


def test_what_has_no_words_has_no_sound() -> None:
    async def test(espeak: Espeak) -> None:
        for text in ("", "   ", "\n\n", "...", "\u200b", "\x01\x02"):
            assert [speech async for speech in espeak.speak(text)] == []

    with_espeak(test)


def test_a_clause_is_followed_by_the_pause_its_mark_asks_for() -> None:
    def pause_ms(pcm: Pcm) -> float:
        return (len(pcm) - int(np.flatnonzero(np.abs(pcm.astype(int)) > 300)[-1])) / VOICE_RATE_HZ * 1000

    async def test(espeak: Espeak) -> None:
        pauses = {
            mark: pause_ms((await said(espeak, f"Hello there{mark}"))[0]) for mark in ("", ", ", ".", ".\n", ".” ")
        }
        assert pauses[""] < 50
        assert 100 < pauses[", "] < 250
        assert all(250 < pauses[mark] < 600 for mark in (".", ".\n", ".” "))

    with_espeak(test)


def test_a_text_of_any_length_is_counted_through() -> None:
    text = " ".join(f"Word {number}." if number % 9 == 0 else f"word {number}" for number in range(100, 180))

    async def test(espeak: Espeak) -> None:
        assert len(text) > 600
        pcm, words = await said(espeak, text)
        assert [text[word.start : word.end] for word in words] == text.replace(".", "").split(" ")
        assert [word.sample for word in words] == sorted({word.sample for word in words})
        assert words[-1].sample < len(pcm)

    with_espeak(test)


def test_legs_that_speak_at_once_each_get_their_own_words() -> None:
    async def test(espeak: Espeak) -> None:
        await espeak.warm_up()
        texts = [f"This is leg number {number}." for number in range(5)]
        for text, (_, words) in zip(texts, await asyncio.gather(*(said(espeak, text) for text in texts)), strict=True):
            assert [text[word.start : word.end] for word in words] == text.rstrip(".").split(" ")

    with_espeak(test)


def test_a_text_that_is_stopped_makes_way_for_the_next() -> None:
    async def test(espeak: Espeak) -> None:
        async with aclosing(espeak.speak("This goes on and on. " * 20)) as pieces:
            await anext(pieces)
        _, words = await said(espeak, "Stopped.")
        assert words == [Word(0, 7, 0)]
        speaking = asyncio.create_task(said(espeak, "This goes on and on. " * 20))
        await asyncio.sleep(0)
        speaking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await speaking
        assert (await said(espeak, "Stopped."))[1] == [Word(0, 7, 0)]

    with_espeak(test)


def test_the_library_stops_at_the_piece_that_is_not_wanted() -> None:
    voice = Voice("en-us", 165)
    pieces: list[Speech] = []

    def give(speech: Speech) -> bool:
        pieces.append(speech)
        return len(pieces) != 2

    voice.speak("This goes on and on. " * 20, give)
    assert len(pieces) == 2
    voice.speak("Stopped.", give)
    assert pieces[2].words == (Word(0, 7, 0),)
    assert len(pieces) > 5


def test_the_rate_is_in_words_a_minute() -> None:
    lengths: list[int] = []

    async def test(espeak: Espeak) -> None:
        lengths.append(len((await said(espeak, "Some words to be spoken slowly or fast"))[0]))

    with_espeak(test, rate_wpm=100)
    with_espeak(test, rate_wpm=250)
    assert lengths[0] > 1.5 * lengths[1]


def test_a_voice_that_does_not_exist_is_unavailable() -> None:
    async def test(espeak: Espeak) -> None:
        for attempt in (espeak.warm_up(), said(espeak, "Hello")):
            with pytest.raises(SpeechError) as error:
                await attempt
            assert (error.value.code, str(error.value)) == ("engine_unavailable", "espeak-ng has no such voice.")

    with_espeak(test, voice="nobody")


def test_parts_of_words_are_no_words() -> None:
    tape = Tape("It’s 1234 “yes” don't", 22_050)
    for position, length, sample in (
        (1, 2, 0),
        (6, 4, 2205),
        (7, 4, 4410),
        (12, 0, 6615),
        (17, 3, 8820),
        (30, 1, 9000),
    ):
        tape.word(position, length, sample)
    speech = tape.piece(np.ones(4000, np.int16))
    assert speech is not None
    assert speech.words == (Word(0, 4, 0), Word(5, 9, 2400), Word(11, 14, 7200), Word(16, 21, 9600))


def test_sound_waits_for_the_first_word_and_none_is_lost_or_moved() -> None:
    tape = Tape("Hi", 22_050)
    assert tape.piece(np.zeros(441, np.int16)) is None
    assert tape.end() is None
    tape.word(1, 2, 441)
    pieces = [tape.piece(np.ones(441, np.int16)), tape.end()]
    assert all(piece is not None for piece in pieces)
    assert sum(len(piece.pcm) for piece in pieces if piece) == 960
    assert pieces[0] is not None
    assert pieces[0].words == (Word(0, 2, 480),)


def test_each_text_is_spoken_in_the_voice_that_is_wanted() -> None:
    async def test(espeak: Espeak) -> None:
        assert isinstance(espeak, Versatile)
        lengths = []
        for voice in ("", "en-us", "", "de", "de"):
            spoken = espeak.speak_as("Wie geht es Ihnen heute?", Manner(voice))
            lengths.append(sum([len(speech.pcm) async for speech in spoken]))
        usual, named, again, german, likewise = lengths
        nearly = 50  # samples: espeak-ng does not make the same sound twice to the sample
        assert all(abs(length - usual) < nearly for length in (named, again))
        assert abs(german - likewise) < nearly
        assert abs(german - usual) > 20 * nearly

    with_espeak(test)
