"""The virtual loudspeaker obeys what a page must obey: pause, resume, clear."""

from base64 import b64encode

import numpy as np
from hypothesis import given, strategies as st

from gateway.replay.loudspeaker import Loudspeaker
from media.frames import VOICE_FRAME, Pcm


def delta(response_id: str, value: int, samples: int = VOICE_FRAME) -> dict[str, str]:
    sound = b64encode(np.full(samples, value, dtype="<i2").tobytes()).decode()
    return {"type": "response.output_audio.delta", "response_id": response_id, "delta": sound}


def buffer(what: str, response_id: str) -> dict[str, str]:
    return {"type": f"output_audio_buffer.{what}", "response_id": response_id}


def level(frame: Pcm | None) -> int | None:
    return None if frame is None else int(frame[0])


def test_sound_is_played_in_order_and_then_nothing() -> None:
    speaker = Loudspeaker()
    speaker.take(delta("r1", 1))
    speaker.take(delta("r1", 2))
    assert speaker.queued_ms == 40
    assert [level(speaker.tick()) for _ in range(3)] == [1, 2, None]


def test_a_pause_holds_the_sound_and_a_resume_lets_it_go_on() -> None:
    speaker = Loudspeaker()
    speaker.take(delta("r1", 1))
    speaker.take(buffer("paused", "r1"))
    speaker.take(delta("r1", 2))
    assert speaker.tick() is None
    speaker.take(buffer("resumed", "r1"))
    assert [level(speaker.tick()) for _ in range(3)] == [1, 2, None]


def test_a_clear_throws_away_only_that_answer_and_ends_its_pause() -> None:
    speaker = Loudspeaker()
    speaker.take(delta("r1", 1))
    speaker.take(buffer("paused", "r1"))
    speaker.take(delta("r2", 2))
    speaker.take(buffer("cleared", "r1"))
    assert [level(speaker.tick()) for _ in range(2)] == [2, None]
    speaker.take(delta("r1", 3))
    assert level(speaker.tick()) == 3


def test_an_answer_does_not_begin_within_the_last_frame_of_another() -> None:
    speaker = Loudspeaker()
    speaker.take(delta("r1", 1, 100))
    speaker.take(delta("r2", 2))
    first, second = speaker.tick(), speaker.tick()
    assert first is not None
    assert first[:100].tolist() == [1] * 100
    assert not first[100:].any()
    assert level(second) == 2


def test_what_is_not_sound_is_ignored() -> None:
    speaker = Loudspeaker()
    for event in (
        {"type": "response.output_audio.delta", "response_id": "r1", "delta": "%%%"},
        {"type": "response.output_audio.delta", "response_id": "r1", "delta": ""},
        {"type": "response.output_audio.delta", "response_id": "r1"},
        {"type": "response.output_audio.delta", "response_id": "r1", "delta": None},
        {},
    ):
        speaker.take(event)
        assert speaker.tick() is None


@given(st.lists(st.integers(1, 2000), max_size=20))
def test_however_the_sound_is_cut_every_sample_is_played_once(sizes: list[int]) -> None:
    speaker = Loudspeaker()
    sound = np.arange(1, sum(sizes) + 1, dtype=np.int64).astype("<i2")
    for end, size in zip(np.cumsum(sizes), sizes, strict=True):
        piece = b64encode(sound[end - size : end].tobytes()).decode()
        speaker.take({"type": "response.output_audio.delta", "response_id": "r1", "delta": piece})
    frames: list[Pcm] = []
    while (frame := speaker.tick()) is not None:
        frames.append(frame)
    played = np.concatenate(frames) if frames else np.zeros(0, dtype=np.int16)
    assert np.array_equal(played[: len(sound)], sound)
    assert not played[len(sound) :].any()
    assert len(frames) == -(-len(sound) // VOICE_FRAME)
