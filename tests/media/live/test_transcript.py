"""The words of one utterance, from an upstream's events."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, strategies as st

from media.speech import SpeechError
from media.speech.live.transcript import Transcript


def event(kind: str, item_id: str = "a", **fields: Any) -> dict[str, Any]:
    return {"type": f"conversation.item.input_audio_transcription.{kind}", "item_id": item_id, **fields}


def committed(item_id: str) -> dict[str, Any]:
    return {"type": "input_audio_buffer.committed", "item_id": item_id}


def told(transcript: Transcript, *events: dict[str, Any]) -> str:
    for each in events:
        transcript.take(each)
    return transcript.text


def test_words_that_come_before_a_commit_are_known_at_once() -> None:
    transcript = Transcript()
    assert told(transcript, event("delta", delta="Hello"), event("delta", delta=" there")) == "Hello there"
    assert transcript.complete  # nothing was committed
    transcript.commit()
    assert [transcript.complete] == [False]
    assert told(transcript, committed("a"), event("completed", transcript="Hello there.")) == "Hello there."
    assert [transcript.complete] == [True]


def test_parts_keep_their_order_whichever_is_ready_first() -> None:
    transcript = Transcript()
    transcript.commit()
    transcript.commit()
    told(transcript, committed("a"), committed("b"))
    assert told(transcript, event("completed", "b", transcript="the second")) == "the second"
    assert not transcript.complete
    assert told(transcript, event("completed", "a", transcript=" The first, ")) == "The first, the second"
    assert transcript.complete


def test_what_is_said_after_it_was_complete_changes_nothing() -> None:
    transcript = Transcript()
    transcript.commit()
    told(transcript, event("completed", transcript="Yes."))
    assert told(transcript, event("delta", delta="No.")) == "Yes."


def test_nothing_is_complete_that_was_not_committed() -> None:
    transcript = Transcript()
    assert told(transcript, event("completed", transcript="Yes.")) == ""


@pytest.mark.parametrize("bad", [{"type": "error"}, {"type": "error", "error": {}}, event("failed")])
def test_failures_are_raised_without_the_servers_words(bad: dict[str, Any]) -> None:
    with pytest.raises(SpeechError) as error:
        Transcript().take({**bad, "message": "secret"})
    assert error.value.code == "engine_failed"
    assert "secret" not in str(error.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
KINDS = ("delta", "completed", "segment", "committed", "")


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from(["a", "b"]) | JSON, JSON), max_size=6))
def test_events_of_any_shape_are_harmless(events: list[tuple[str, Any, Any]]) -> None:
    transcript = Transcript()
    transcript.commit()
    for kind, item_id, words in events:
        shapes = (
            event(kind, item_id, delta=words, transcript=words),
            {"type": "input_audio_buffer.committed", "item_id": item_id},
            {"type": words},
        )
        for shape in shapes:
            with contextlib.suppress(SpeechError):
                transcript.take(shape)
    assert isinstance(transcript.text, str)
