"""What a person or client does with a voice leg by hand: press, mute, pause, commit; and what words and silence do."""

import numpy as np

from media.hearing import ears, endpoint, idleness, scribe
from media.hearing.endpoint import TurnOptions
from tests.media.test_leg import LONG, QUIET, VOICE, Desk, run

MUFFLED = (VOICE // 12).astype(np.int16)
"""Too soft for the speech model: a whisper."""


async def speaking(desk: Desk) -> None:
    """An answer has sounded for 400 ms."""
    desk.answer(LONG)
    await desk.settle()
    await desk.tick(times=20)


# words while a voice goes on


def test_what_a_voice_over_an_answer_says_is_told_before_it_is_sustained() -> None:
    async def story(desk: Desk) -> None:
        await speaking(desk)
        await desk.tick(VOICE, times=24)
        assert "Sustained" not in desk.kinds()
        assert desk.of(scribe.Heard) == [scribe.Heard("stop")]
        await desk.tick(VOICE, times=40)
        assert len(desk.of(scribe.Heard)) <= 3

    run(story, lambda: Desk("stop"))


def test_a_recognizer_that_must_be_paid_for_each_question_is_not_asked() -> None:
    def expensive() -> Desk:
        desk = Desk("stop")
        desk.recognizer.live = False
        return desk

    async def story(desk: Desk) -> None:
        desk.leg = desk.made()
        await speaking(desk)
        await desk.tick(VOICE, times=30)
        assert desk.of(scribe.Heard) == []

    run(story, expensive)


def test_a_voice_in_silence_is_not_asked() -> None:
    async def story(desk: Desk) -> None:
        await desk.tick(VOICE, times=60)
        assert desk.of(scribe.Heard) == []

    run(story, lambda: Desk("stop"))


# how long a silence lasts


def silence_until_the_end(words: str, turns: TurnOptions) -> int:
    """Milliseconds from the voice's end to the turn's."""
    found: list[int] = []

    async def story(desk: Desk) -> None:
        await desk.tick(VOICE, times=40)
        for ticks in range(600):
            await desk.tick()
            if desk.of(endpoint.TurnEnded):
                found.append(ticks * 20)
                return

    run(story, lambda: Desk(words, words, turns=turns))
    return found[0]


def test_what_was_said_decides_how_long_a_silence_lasts() -> None:
    semantic = TurnOptions(eagerness="high")
    assert 240 <= silence_until_the_end("what time is it", semantic) <= 420
    assert 1900 <= silence_until_the_end("tell me about the", semantic) <= 2100
    assert 440 <= silence_until_the_end("", semantic) <= 560
    assert 440 <= silence_until_the_end("tell me about the", TurnOptions()) <= 560


# a microphone that falls silent without a word


def test_a_microphone_that_stops_sending_in_mid_voice_ends_its_turn() -> None:
    async def story(desk: Desk) -> None:
        await desk.tick(VOICE, times=20)
        await desk.wait(45)
        assert desk.of(endpoint.TurnEnded) == []  # a hiccup of the network
        await desk.wait(60)
        assert len(desk.of(endpoint.TurnEnded)) == 1

    run(story)


def test_a_suspicion_whose_microphone_stops_sending_does_not_keep_the_answer_silent() -> None:
    async def story(desk: Desk) -> None:
        await speaking(desk)
        await desk.tick(VOICE)
        assert desk.leg.mouth.held
        await desk.wait(65)
        assert "Dismissed" in desk.kinds()
        assert not desk.leg.mouth.held

    run(story)


def test_sound_that_comes_all_at_once_lasts_as_long_as_it_lasts() -> None:
    async def story(desk: Desk) -> None:
        desk.leg.hear(np.tile(VOICE, 150))  # three seconds
        await desk.wait(190)
        assert desk.of(endpoint.TurnEnded) == []
        await desk.wait(60)
        assert len(desk.of(endpoint.TurnEnded)) == 1

    run(story)


# push to talk


def test_a_press_holds_the_answer_and_reaches_back_before_itself() -> None:
    async def story(desk: Desk) -> None:
        desk.leg.configure(None)
        await speaking(desk)
        assert desk.leg.push(down=True)
        assert desk.of(endpoint.Pressed) == [endpoint.Pressed(400, ears.PUSH_PREROLL_MS)]
        assert ears.PUSH_PREROLL_MS >= 300  # people begin to speak before they press
        assert not any((await desk.tick(MUFFLED, times=30))[1:])
        desk.leg.flush(1)
        desk.leg.push(down=False)
        assert desk.of(endpoint.TurnEnded) == [endpoint.TurnEnded(0, 1000, False)]
        desk.leg.transcribe("item_a")
        await desk.settle()
        assert desk.of(scribe.Transcribed) == [scribe.Transcribed("item_a", "whispered")]
        assert desk.recognizer.opened[-1].heard_ms == 400 + 600

    run(story, lambda: Desk("before the press", "whispered"))


def test_no_detector_ends_dismisses_or_cuts_a_turn_by_hand() -> None:
    async def story(desk: Desk) -> None:
        await desk.tick(times=30)
        desk.leg.push(down=True)
        await desk.tick(VOICE, times=30)
        await desk.tick(times=200)  # a long thought, key held
        await desk.tick(VOICE, times=2)
        await desk.tick(times=30)
        assert desk.kinds() == ["Pressed"]
        desk.leg.push(down=False)
        assert desk.kinds() == ["Pressed", "TurnEnded"]
        await desk.tick(times=60)
        assert desk.kinds() == ["Pressed", "TurnEnded"]

    run(story)


def test_a_turn_that_was_begun_by_voice_goes_on_by_hand() -> None:
    async def story(desk: Desk) -> None:
        await desk.tick(VOICE, times=20)
        desk.leg.push(down=True)
        await desk.tick(times=100)
        assert desk.of(endpoint.TurnEnded) == []
        desk.leg.push(down=False)
        assert len(desk.of(endpoint.TurnEnded)) == 1
        assert len(desk.recognizer.opened) == 1

    run(story)


def test_a_slip_of_the_finger_is_no_turn_and_lets_the_answer_go_on() -> None:
    async def story(desk: Desk) -> None:
        await speaking(desk)
        desk.leg.push(down=True)
        await desk.tick(times=5)
        desk.leg.push(down=False)
        assert desk.kinds()[-1] == "Discarded"
        assert any(await desk.tick(times=3))
        desk.leg.push(down=False)  # a second time is harmless
        assert desk.kinds()[-1] == "Discarded"

    run(story)


def test_a_key_that_is_never_let_go_ends_its_turn_at_the_limit() -> None:
    async def story(desk: Desk) -> None:
        desk.leg.push(down=True)
        await desk.tick(times=51)
        assert desk.kinds() == ["Pressed", "TurnEnded"]

    run(story, lambda: Desk(turns=TurnOptions(turn_limit_ms=1000)))


def test_committing_by_hand_lets_the_key_go() -> None:
    async def story(desk: Desk) -> None:
        desk.leg.push(down=True)
        await desk.tick(VOICE, times=20)
        assert desk.leg.commit()
        assert desk.kinds() == ["Pressed", "TurnEnded"]

    run(story)


# mute


def test_a_muted_microphone_hears_nothing_and_keeps_nothing() -> None:
    async def story(desk: Desk) -> None:
        desk.leg.mute(True)
        await desk.tick(VOICE, times=50)
        assert desk.reports == []
        desk.leg.mute(False)
        await desk.tick(VOICE, times=20)
        assert "Confirmed" in desk.kinds()
        heard = np.concatenate(desk.recognizer.opened[0].heard)
        loud = np.flatnonzero(np.abs(heard.astype(np.int32)) > 1000)
        assert len(heard) - loud[0] <= 20 * len(VOICE)  # nothing of what was said while it was muted

    run(story)


def test_muting_dismisses_a_suspicion_at_once() -> None:
    async def story(desk: Desk) -> None:
        await speaking(desk)
        await desk.tick(VOICE)
        assert desk.leg.mouth.held
        desk.leg.mute(True)
        await desk.tick(VOICE, times=12)
        assert "Dismissed" in desk.kinds()
        assert not desk.leg.mouth.held

    run(story)


def test_muting_ends_a_turn_as_silence_does_even_if_nothing_is_sent_any_more() -> None:
    async def story(desk: Desk) -> None:
        await desk.tick(VOICE, times=30)
        desk.leg.mute(True)
        await desk.wait(40)
        assert len(desk.of(endpoint.TurnEnded)) == 1

    run(story)


def test_a_muted_microphone_has_no_key() -> None:
    async def story(desk: Desk) -> None:
        desk.leg.push(down=True)
        await desk.tick(VOICE, times=20)
        desk.leg.mute(True)
        assert desk.kinds() == ["Pressed", "TurnEnded"]
        assert not desk.leg.push(down=True)

    run(story)


# a button


def test_the_reflex_never_releases_a_button() -> None:
    async def story(desk: Desk) -> None:
        await speaking(desk)
        desk.leg.mouth.pause()
        await desk.tick(VOICE)
        await desk.tick(times=30)
        assert "Dismissed" in desk.kinds()
        desk.leg.release()
        assert not any(await desk.tick(times=10))
        desk.leg.mouth.resume()
        assert any(await desk.tick(times=3))

    run(story)


def test_a_button_never_releases_the_reflex() -> None:
    async def story(desk: Desk) -> None:
        await speaking(desk)
        desk.leg.mouth.pause()
        await desk.tick(VOICE, times=6)
        desk.leg.mouth.resume()
        assert not any(await desk.tick(VOICE, times=10))

    run(story)


# by hand


def test_sound_that_was_cleared_is_in_no_turn() -> None:
    async def story(desk: Desk) -> None:
        desk.leg.configure(None)
        await desk.tick(VOICE, times=50)
        desk.leg.drop_utterance()
        await desk.tick(times=10)
        assert desk.leg.commit()
        desk.leg.transcribe("item_a")
        await desk.settle()
        assert int(np.abs(np.concatenate(desk.recognizer.opened[-1].heard)).max()) == 0

    run(story, lambda: Desk("cleared", "kept"))


def test_a_commit_while_turns_are_detected_ends_this_one_and_the_voice_begins_none() -> None:
    async def story(desk: Desk) -> None:
        await desk.tick(VOICE, times=30)
        assert desk.leg.commit()
        await desk.tick(VOICE, times=30)
        await desk.tick(times=60)
        assert len(desk.of(endpoint.TurnEnded)) == 1
        assert not desk.leg.commit()

    run(story)


# nobody speaks


def test_a_silence_after_an_answer_is_told_when_it_has_lasted() -> None:
    async def story(desk: Desk) -> None:
        desk.answer("one.")
        await desk.settle()
        await desk.tick(times=12)
        assert desk.kinds()[-1] == "Stopped"
        await desk.tick(times=245)
        assert desk.of(idleness.Idle) == []
        await desk.tick(times=10)
        (idle,) = desk.of(idleness.Idle)
        assert 4900 <= idle.end_ms - idle.start_ms <= 5100
        await desk.tick(times=300)
        assert len(desk.of(idleness.Idle)) == 1

    run(story, lambda: Desk(turns=TurnOptions(idle_timeout_ms=5000)))


def test_a_voice_ends_the_wait_for_one() -> None:
    async def story(desk: Desk) -> None:
        desk.answer("one.")
        await desk.settle()
        await desk.tick(times=30)
        await desk.tick(VOICE, times=20)
        await desk.tick(QUIET, times=300)
        assert desk.of(idleness.Idle) == []

    run(story, lambda: Desk(turns=TurnOptions(idle_timeout_ms=5000)))
