"""A leg that is given an answer's sound, and keeps that of turns."""

import numpy as np

from media.frames import MIC_FRAME, VOICE_RATE_HZ, Pcm, samples, silence
from media.hearing.keeping import KEPT_MS, TURNS, Keeping
from media.speaking import playout
from media.speaking.leaving import Left
from tests.media.engines import ScriptedRecognizer
from tests.media.test_leg import QUIET, VOICE, Desk, run

WORD = samples(250, VOICE_RATE_HZ)
TEXT = "once upon some time there were many kind"


def tone(words: int, hz: float = 300.0) -> Pcm:
    """As long as so many words of four letters."""
    return (8000 * np.sin(2 * np.pi * hz * np.arange(words * WORD) / VOICE_RATE_HZ)).astype(np.int16)


def given(desk: Desk, *sound: Pcm, text: str = TEXT, base: int = 0, base_ms: int = 0) -> None:
    """An answer that brings its own sound."""
    desk.leg.begin(1, "resp_1", "item_1", base, base_ms, own_sound=True)
    desk.leg.mouth.speak(1, text)
    for pcm in sound:
        desk.leg.mouth.play(1, pcm)


def test_given_sound_is_played_whole_and_no_engine_is_asked() -> None:
    async def story(desk: Desk) -> None:
        given(desk, tone(3), tone(5))
        desk.leg.mouth.finish(1)
        sounded = await desk.tick(times=120)
        assert sum(sounded) == 8 * 250 // 20
        assert desk.synthesizer.spoken == []
        assert desk.kinds() == ["Started", "Stopped"]
        assert (desk.of(playout.Stopped)[0].heard_chars, desk.of(playout.Stopped)[0].whole) == (len(TEXT), True)

    run(story)


def test_a_long_answer_waits_outside_the_playout() -> None:
    async def story(desk: Desk) -> None:
        given(desk, tone(80))
        desk.leg.mouth.finish(1)
        sounded = await desk.tick(times=1010)
        assert sum(sounded) == 80 * 250 // 20
        assert "Stopped" in desk.kinds()

    run(story)


def test_a_cut_tells_what_was_heard_by_the_length_of_the_words() -> None:
    async def story(desk: Desk) -> None:
        given(desk, tone(8))
        await desk.tick(times=40)  # 800 ms: three words and a bit
        cleared = desk.leg.flush(1)
        assert cleared is not None
        assert (TEXT[: cleared.heard_chars], cleared.heard_ms, cleared.started) == ("once upon some", 800, True)
        desk.leg.mouth.play(1, tone(8))
        desk.leg.mouth.speak(1, " more")
        assert not any((await desk.tick(times=20))[1:])  # but for the fade

    run(story)


def test_a_voice_holds_given_sound_and_it_goes_on_with_nothing_missing() -> None:
    async def story(desk: Desk) -> None:
        given(desk, tone(20))
        desk.leg.mouth.finish(1)
        sounded = await desk.tick(times=20)
        sounded += await desk.tick(VOICE)
        sounded += await desk.tick(times=300)
        assert "Suspected" in desk.kinds()
        assert abs(sum(sounded) - 20 * 250 // 20) <= 2

    run(story)


def test_an_answer_that_was_taken_over_counts_what_was_heard_elsewhere() -> None:
    async def story(desk: Desk) -> None:
        given(desk, tone(6), text=TEXT[9:], base=9, base_ms=600)
        await desk.tick(times=30)
        cleared = desk.leg.flush(1)
        assert cleared is not None
        assert (TEXT[: cleared.heard_chars], cleared.heard_ms) == ("once upon some time", 1200)

    run(story)


def test_an_answer_that_is_given_away_stops_at_the_word() -> None:
    async def story(desk: Desk) -> None:
        given(desk, tone(8))
        await desk.tick(times=20)  # 400 ms: in the second word
        desk.leg.mouth.leave(1, 250, recalled=True)
        await desk.tick(times=20)
        [left] = desk.of(Left)
        assert (TEXT[: left.heard_chars], left.heard_ms) == ("once upon", 500)
        desk.leg.mouth.play(1, tone(8))
        assert not any(await desk.tick(times=10))

    run(story)


def test_a_word_that_is_broken_by_that_is_to_be_played_again_whole() -> None:
    async def story(desk: Desk) -> None:
        given(desk, tone(8))
        await desk.tick(times=20)  # 400 ms
        desk.leg.mouth.leave(1, 0, recalled=True)
        await desk.tick(times=5)
        [left] = desk.of(Left)
        assert (TEXT[: left.heard_chars], left.heard_ms) == ("once", 250)

    run(story)


def test_sound_that_ends_before_its_text_was_not_heard_to_the_end() -> None:
    async def story(desk: Desk) -> None:
        given(desk, tone(3))
        desk.leg.mouth.finish(1, whole=False)
        await desk.tick(times=60)
        [stopped] = desk.of(playout.Stopped)
        assert not stopped.whole
        assert TEXT[: stopped.heard_chars] in ("once upon", "once upon some")

    run(story)


# --- turns ---


def test_the_sound_of_a_turn_is_kept_under_its_name() -> None:
    async def story(desk: Desk) -> None:
        await desk.tick(VOICE, times=50)
        await desk.tick(times=40)
        desk.leg.transcribe("item_7")
        await desk.settle()
        assert desk.leg.kept is not None
        sound = desk.leg.kept.sound_of("item_7")
        assert sound is not None
        assert 1.0 < len(sound) / VOICE_RATE_HZ < 2.0
        assert int(np.abs(sound).max()) > 5000
        assert desk.leg.kept.sound_of("item_8") is None

    run(story, lambda: Desk(keeps_turns=True))


def test_nothing_is_kept_where_nobody_wants_it() -> None:
    async def story(desk: Desk) -> None:
        assert desk.leg.kept is None

    run(story)


def test_the_last_turns_are_kept_within_bounds() -> None:
    kept = Keeping(ScriptedRecognizer())
    for number in range(TURNS + 3):
        recognition = kept.listen()
        recognition.feed(QUIET)
        kept.keep(f"item_{number}", recognition)
    assert [kept.sound_of(f"item_{number}") is not None for number in (2, 3, TURNS + 2)] == [False, True, True]
    long = kept.listen()
    for _ in range(KEPT_MS // 20):
        long.feed(silence(MIC_FRAME))
    kept.keep("long", long)
    assert kept.sound_of(f"item_{TURNS + 2}") is None
    sound = kept.sound_of("long")
    assert sound is not None
    assert len(sound) == KEPT_MS * VOICE_RATE_HZ // 1000


def test_a_turn_whose_sound_was_dropped_has_none() -> None:
    kept = Keeping(ScriptedRecognizer())
    kept.keep("item_1", None)
    assert kept.sound_of("item_1") is None
