"""What a session decided, as each kind of connection is told: in which order, and in whose words."""

import json
from collections.abc import Sequence
from typing import Any, Final, get_args

import pytest
from hypothesis import given, settings, strategies as st

from gateway.core import events as ev
from gateway.core.ids import DeviceId, Generation, ItemId, LegId, ResponseId
from gateway.core.members import Member
from gateway.core.values import Failure, Settings
from gateway.protocol import realtime as rt
from gateway.protocol.projection import project
from gateway.protocol.view import View
from tests.protocol.examples import EXTENSION, Json
from tests.protocol.stock import STANDARD, problems

LEG, OTHER = LegId("leg_1"), LegId("leg_2")
USER, ANSWER, RESPONSE, FIRST = ItemId("item_u"), ItemId("item_a"), ResponseId("resp_1"), Generation(1)
FAILURE = Failure("model_failed", "The model failed.")


def session() -> rt.Session:
    return rt.Session("sess_00", "m", "", ["audio"], {"input": {"turn_detection": None}, "output": {"voice": "alloy"}})


def view(*, extended: bool = False, buffered: bool = False) -> View:
    return View(LEG, extended, session, buffered=buffered or extended)


SOCKET: Final = {"extended": False, "buffered": False}
CALL: Final = {"extended": False, "buffered": True}
EXTENDED: Final = {"extended": True, "buffered": True}
VIEWS: Final = [SOCKET, CALL, EXTENDED]


def told(events: Sequence[ev.Event], seen_by: View) -> list[Json]:
    return [json.loads(rt.encode(wire)) for event in events for wire in project(event, seen_by)]


def types(events: Sequence[ev.Event], seen_by: View) -> list[str]:
    return [str(wire["type"]) for wire in told(events, seen_by)]


def voice_turn() -> list[ev.Event]:
    return [
        ev.SpeechStarted(LEG, USER, 1200),
        ev.SpeechStopped(LEG, USER, 2700),
        ev.InputCommitted(LEG, USER, None),
        ev.ItemAdded(USER, None, "user", "completed", spoken=True, device=DeviceId("phone")),
        ev.ItemTranscribed(USER, "Tell me a story."),
        *spoken_answer(),
    ]


def begun(leg: LegId | None = LEG) -> list[ev.Event]:
    return [
        ev.ResponseStarted(RESPONSE, FIRST, leg, metadata={"topic": "demo"}),
        ev.ItemAdded(ANSWER, USER, "assistant", "in_progress", spoken=leg is not None, response_id=RESPONSE),
        ev.TextAppended(RESPONSE, ANSWER, 0, "Once upon"),
        ev.TextAppended(RESPONSE, ANSWER, 9, " a time."),
    ]


def spoken_answer() -> list[ev.Event]:
    return [
        *begun(),
        ev.PlayoutStarted(RESPONSE, LEG),
        ev.ItemCompleted(ANSWER, RESPONSE, "completed", "Once upon a time."),
        ev.ResponseEnded(RESPONSE, FIRST, "completed", ANSWER),
        ev.PlayoutStopped(RESPONSE, LEG),
    ]


def written_answer() -> list[ev.Event]:
    return [
        *begun(None),
        ev.ItemCompleted(ANSWER, RESPONSE, "completed", "Once upon a time."),
        ev.ResponseEnded(RESPONSE, FIRST, "completed", ANSWER),
    ]


def cut_by_voice(reason: Any = "turn_detected") -> list[ev.Event]:
    return [
        *begun(),
        ev.PlayoutStarted(RESPONSE, LEG),
        ev.SpeechSuspected(LEG, 4000),
        ev.PlayoutPaused(LEG, RESPONSE),
        ev.SpeechConfirmed(LEG),
        ev.SpeechStarted(LEG, ItemId("item_v"), 3700),
        ev.PlayoutCleared(RESPONSE, LEG),
        ev.ItemCompleted(ANSWER, RESPONSE, "incomplete", "Once upon a time."),
        ev.ResponseEnded(RESPONSE, FIRST, "cancelled", ANSWER, reason=reason),
        ev.ItemTruncated(ANSWER, "Once upon", " a time.", 620),
    ]


TURN: Final = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
    "conversation.item.input_audio_transcription.completed",
]
OPENING: Final = [
    "response.created",
    "response.output_item.added",
    "conversation.item.added",
    "response.content_part.added",
    "response.output_audio_transcript.delta",
    "response.output_audio_transcript.delta",
]
CLOSING: Final = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
]


# --- order ---


def test_a_whole_turn_over_webrtc_comes_in_the_documented_order() -> None:
    assert types(voice_turn(), view(**CALL)) == [
        *TURN,
        *OPENING,
        "output_audio_buffer.started",
        *CLOSING,
        "output_audio_buffer.stopped",
    ]


def test_a_stock_socket_is_told_nothing_of_a_buffer_it_has_itself() -> None:
    assert types(voice_turn(), view(**SOCKET)) == [*TURN, *OPENING, *CLOSING]


def test_a_written_answer_is_text() -> None:
    wire = types(written_answer(), view(**CALL))
    assert wire == [
        *OPENING[:4],
        "response.output_text.delta",
        "response.output_text.delta",
        "response.output_text.done",
        *CLOSING[2:],
    ]


def test_an_answer_whose_device_is_lost_before_its_first_word_is_told_as_written() -> None:
    """As the item says of itself, and so who joins meanwhile is told: not one as a transcript and the other as text."""
    events: list[ev.Event] = [
        ev.ResponseStarted(RESPONSE, FIRST, LEG),
        ev.ItemAdded(ANSWER, None, "assistant", "in_progress", response_id=RESPONSE),
        ev.TextAppended(RESPONSE, ANSWER, 0, "One."),
        ev.ItemCompleted(ANSWER, RESPONSE, "completed", "One."),
    ]
    wire = told(events, view(**EXTENDED))
    assert [it["part"]["type"] for it in wire if "part" in it] == ["text", "text"]
    assert [it["type"] for it in wire if it["type"].endswith(".delta")] == ["response.output_text.delta"]
    assert [it["item"]["content"] for it in wire if it["type"] == "conversation.item.done"] == [
        [{"type": "output_text", "text": "One."}]
    ]


def test_a_cut_answer_is_closed_like_any_other_and_then_truncated() -> None:
    wire = types(cut_by_voice(), view(**CALL))
    assert wire == [
        *OPENING,
        "output_audio_buffer.started",
        "input_audio_buffer.speech_started",
        "output_audio_buffer.cleared",
        *CLOSING,
        "conversation.item.truncated",
    ]


def test_an_extended_client_sees_the_doubt_before_the_cut() -> None:
    wire = types(cut_by_voice(), view(**EXTENDED))
    at = wire.index("output_audio_buffer.started")
    assert wire[at + 1 : at + 5] == [
        "input_audio_buffer.speech_suspected",
        "output_audio_buffer.paused",
        "input_audio_buffer.speech_confirmed",
        "input_audio_buffer.speech_started",
    ]


def test_an_answer_that_never_sounded_is_not_cleared() -> None:
    events = [*begun(), ev.PlayoutCleared(RESPONSE, LEG), ev.ItemRemoved(ANSWER, "unheard")]
    assert "output_audio_buffer.cleared" not in types(events, view(**CALL))


def test_an_item_of_a_response_names_what_it_follows() -> None:
    wire = told(voice_turn(), view(**CALL))
    added = [event for event in wire if event["type"] == "conversation.item.added"]
    assert [(event["item"]["id"], event["previous_item_id"]) for event in added] == [(USER, None), (ANSWER, USER)]


# --- values ---


def test_offsets_count_code_points_and_pieces_add_up() -> None:
    wire = told(written_answer(), view(**EXTENDED))
    deltas = [event for event in wire if event["type"] == "response.output_text.delta"]
    assert [(event["offset"], event["delta"]) for event in deltas] == [(0, "Once upon"), (9, " a time.")]


def test_metadata_is_echoed_when_a_response_begins_and_ends() -> None:
    wire = told(written_answer(), view(**SOCKET))
    assert [event["response"]["metadata"] for event in wire if "response" in event] == [{"topic": "demo"}] * 2


def test_a_response_tells_what_it_put_out() -> None:
    done = told(spoken_answer(), view(**SOCKET))[-1]["response"]
    assert (done["status"], done["output_modalities"]) == ("completed", ["audio"])
    assert done["output"][0]["content"] == [{"type": "output_audio", "transcript": "Once upon a time."}]
    assert done["output"][0]["status"] == "completed"


@pytest.mark.parametrize(
    ("reason", "shown"),
    [("turn_detected", "turn_detected"), ("client_cancelled", "client_cancelled"), (None, "client_cancelled")],
)
def test_a_cancelled_response_gives_one_of_two_reasons(reason: str | None, shown: str) -> None:
    done = [event for event in told(cut_by_voice(reason), view(**CALL)) if event["type"] == "response.done"]
    assert [event["response"]["status_details"] for event in done] == [{"type": "cancelled", "reason": shown}]
    assert done[0]["response"]["output"][0]["status"] == "incomplete"


def test_a_failed_response_tells_why_and_blames_nobody_outside() -> None:
    events = [*begun(None), ev.ResponseEnded(RESPONSE, FIRST, "failed", None, failure=FAILURE)]
    details = told(events, view(**SOCKET))[-1]["response"]["status_details"]
    assert (details["type"], details["error"]["type"]) == ("failed", "server_error")
    assert (details["error"]["code"], details["error"]["message"]) == ("model_failed", "The model failed.")


def test_a_cut_answer_carries_what_was_heard_and_what_was_not() -> None:
    truncated = told(cut_by_voice(), view(**SOCKET))[-1]
    assert (truncated["audio_end_ms"], truncated["content_index"]) == (620, 0)
    assert (truncated["heard_text"], truncated["unheard_text"]) == ("Once upon", " a time.")


def test_an_answer_that_continues_another_says_so() -> None:
    wire = told([ev.ResponseStarted(RESPONSE, FIRST, LEG, continues=ItemId("item_x"))], view(**SOCKET))
    assert wire[0]["response"]["continues"] == "item_x"


def test_spoken_words_are_unknown_at_first_and_not_absent() -> None:
    added = told(voice_turn(), view(**SOCKET))[3]
    assert added["item"]["content"] == [{"type": "input_audio", "transcript": None}]


def test_changed_settings_are_told_as_the_whole_session() -> None:
    wire = told([ev.SettingsChanged(Settings(instructions="Be brief."))], view(**SOCKET))
    assert wire[0]["session"]["id"] == "sess_00"


# --- branches ---

EDITED, CUT = ItemId("item_e"), ItemId("item_c")


def switched() -> ev.BranchSelected:
    """The path goes back to a question and its answer, which was cut."""
    entered = (
        ev.Entered(USER, None, "user", "completed", False, DeviceId("phone"), False, 0),
        ev.Entered(CUT, USER, "assistant", "incomplete", True, DeviceId(""), True, 12),
    )
    return ev.BranchSelected(CUT, (EDITED, ANSWER), entered)


@pytest.mark.parametrize("kind", VIEWS)
def test_a_switch_is_told_as_messages_that_leave_and_enter_in_their_places(kind: Json) -> None:
    seen_by = view(**kind)
    words = {USER: ("Count.", ""), CUT: ("One two", " three.")}
    wires = [json.loads(rt.encode(wire)) for wire in project(switched(), seen_by, words)]
    changes = [(it["type"], it.get("item_id") or it["item"]["id"], it.get("previous_item_id")) for it in wires[:6]]
    assert changes == [
        ("conversation.item.deleted", ANSWER, None),
        ("conversation.item.deleted", EDITED, None),
        ("conversation.item.added", USER, None),
        ("conversation.item.done", USER, None),
        ("conversation.item.added", CUT, USER),
        ("conversation.item.done", CUT, USER),
    ]
    answer = wires[5]["item"]
    assert answer["content"] == [{"type": "output_audio", "transcript": "One two"}]
    assert (answer["heard_text"], answer["unheard_text"], answer["seen_text"]) == ("One two", " three.", " thre")
    rest = [{key: it[key] for key in ("type", "item_id")} for it in wires[6:]]
    assert rest == [{"type": "conversation.branch.selected", "item_id": CUT}] * kind["extended"]
    stock = [json.dumps(it | {"event_id": "event_1"}) for it in wires if it["type"] not in EXTENSION]
    assert [problems(it) for it in stock] == [[]] * 6


def test_what_enters_without_words_is_empty_and_keeps_its_place() -> None:
    parts = [it["item"]["content"][0] for it in told([switched()], view(**EXTENDED))[2:6]]
    assert [part.get("text", part.get("transcript")) for part in parts] == [""] * 4


@pytest.mark.parametrize("kind", VIEWS)
def test_what_happens_beside_the_path_is_told_to_extended_clients_at_most(kind: Json) -> None:
    beside: list[ev.Event] = [
        ev.ItemAdded(EDITED, None, "user", "completed", "Spell.", aside=True),
        ev.SiblingsChanged(((USER, (USER, EDITED)),)),
        ev.ItemRemoved(EDITED, "deleted", aside=True),
        ev.ReactionAdded(USER, "+1", DeviceId("phone"), 1),
    ]
    wanted = ["conversation.siblings", "conversation.item.deleted", "conversation.item.reactions"]
    assert types(beside, view(**kind)) == wanted * kind["extended"]


@pytest.mark.parametrize("kind", VIEWS)
def test_a_correction_is_the_same_message_with_other_words_and_a_version(kind: Json) -> None:
    corrected = ev.ItemCorrected(USER, "Count.", 2, DeviceId("laptop"), 5.0, ANSWER, True, DeviceId("phone"))
    (wire,) = told([corrected], view(**kind))
    assert (wire["type"], wire["previous_item_id"]) == ("conversation.item.done", ANSWER)
    assert wire["item"]["content"] == [{"type": "input_audio", "transcript": "Count."}]
    assert wire["item"]["version"] == {"number": 2, "by": "laptop", "at": 5}
    assert problems(json.dumps(wire | {"event_id": "event_1"})) == []


def test_an_answer_that_is_given_again_says_beside_which_one() -> None:
    wires = told([ev.ResponseStarted(RESPONSE, FIRST, None, replaces=CUT)], view(**SOCKET))
    assert wires[0]["response"]["replaces"] == CUT


# --- whose affair it is ---


@pytest.mark.parametrize("kind", VIEWS)
def test_a_refusal_goes_to_who_gave_the_command_and_to_nobody_else(kind: Json) -> None:
    refused = ev.CommandRejected(LEG, "e1", FAILURE, "item.id")
    assert len(told([refused], view(**kind))) == 1
    assert told([ev.CommandRejected(OTHER, "e1", FAILURE)], view(**kind)) == []


@pytest.mark.parametrize("kind", VIEWS)
def test_a_kept_truncation_is_told_to_who_claimed_it(kind: Json) -> None:
    assert types([ev.TruncationKept(LEG, ANSWER, 5)], view(**kind)) == ["conversation.item.truncated"]
    assert told([ev.TruncationKept(OTHER, ANSWER, 5)], view(**kind)) == []


def test_a_refusal_is_an_error_to_stock_clients_and_a_rejection_to_extended_ones() -> None:
    refused = ev.CommandRejected(LEG, "e1", FAILURE, "item.id")
    stock, extended = told([refused], view(**SOCKET))[0], told([refused], view(**EXTENDED))[0]
    assert stock["error"] == {
        "type": "invalid_request_error",
        "code": "model_failed",
        "message": "The model failed.",
        "param": "item.id",
        "event_id": "e1",
    }
    assert (extended["command_id"], extended["code"], extended["param"]) == ("e1", "model_failed", "item.id")


def test_a_refusal_of_a_nameless_command_names_none() -> None:
    refused = ev.CommandRejected(LEG, "", FAILURE)
    assert told([refused], view(**SOCKET))[0]["error"]["event_id"] is None
    assert "param" not in told([refused], view(**EXTENDED))[0]


# --- whatever comes, in whatever order ---

ids = st.sampled_from(["a", "b", "c"])
texts = st.text(st.characters(codec="utf-8"), max_size=8)
counts = st.integers(0, 2**40)
members = st.builds(
    Member, texts, texts, texts, texts, texts, st.floats(0, 2**40), data=st.none() | st.dictionaries(texts, texts)
)
companies = st.lists(members, max_size=3).map(tuple)
fields: Final[dict[type, st.SearchStrategy[Any]]] = {
    str: texts,
    int: counts,
    Settings: st.builds(Settings, texts, texts, texts),
    Failure: st.builds(Failure, ids, ids),
}


entering = st.builds(ev.Entered, ids, st.none() | ids, st.sampled_from(["user", "assistant"]), device=ids, seen=counts)
groups = ids.map(lambda name: (name, ("x", name)))


def any_event() -> st.SearchStrategy[ev.Event]:
    places = ("item_id", "response_id", "parent", "previous", "continues", "before", "replaces", "tip")
    given_ids = dict.fromkeys(places, ids)
    metadata = st.dictionaries(ids, texts, max_size=2)
    legs = st.sampled_from([LEG, OTHER])

    def built(kind: Any) -> st.SearchStrategy[ev.Event]:
        own: dict[str, st.SearchStrategy[Any]] = {
            name: st.none() | ids if "None" in str(hint) else ids
            for name, hint in kind.__annotations__.items()
            if name in given_ids
        }
        own |= {name: texts for name in ("text", "unheard", "reaction", "by") if name in kind.__annotations__}
        if "entered" in kind.__annotations__:
            own |= {"left": st.lists(ids).map(tuple), "entered": st.lists(entering).map(tuple)}
        own |= {name: counts for name in kind.__annotations__ if name.endswith("_ms") or name == "offset"}
        own |= {name: companies for name in ("joined", "changed") if name in kind.__annotations__}
        if "wall" in kind.__annotations__:
            own["wall"] = st.floats(0, 2**40)
        if "choices" in kind.__annotations__:
            own["choices"] = st.lists(groups).map(tuple)
        if "metadata" in kind.__annotations__:
            own["metadata"] = metadata
        if "leg" in kind.__annotations__:
            own["leg"] = legs
        if "failure" in kind.__annotations__:
            own["failure"] = fields[Failure]
        if "settings" in kind.__annotations__:
            own["settings"] = fields[Settings]
        return st.builds(kind, **own)

    return st.one_of([built(kind) for kind in get_args(ev.Event)])


@settings(max_examples=150)
@given(st.lists(any_event(), max_size=12), st.sampled_from([SOCKET, CALL]))
def test_a_stock_client_sees_only_what_its_own_types_allow(events: list[ev.Event], kind: Json) -> None:
    seen_by = view(**kind)
    for event in events:
        for wire in project(event, seen_by):
            wire.event_id = "event_1"
            assert not type(wire).extension
            assert problems(rt.encode(wire)) == []


@settings(max_examples=100)
@given(st.lists(any_event(), max_size=12))
def test_an_extended_client_sees_standard_types_and_those_of_the_extension(events: list[ev.Event]) -> None:
    seen_by = view(**EXTENDED)
    for wire in told(events, seen_by):
        assert wire["type"] in STANDARD | EXTENSION


@settings(max_examples=50)
@given(st.lists(any_event(), max_size=30))
def test_a_view_forgets_what_is_over(events: list[ev.Event]) -> None:
    seen_by = view(**CALL)
    told(events, seen_by)
    ending = [ev.ResponseEnded(ResponseId(name), FIRST, "completed", ItemId(item)) for name in "abc" for item in "abc"]
    told([*ending, *(ev.PlayoutStopped(ResponseId(name), LEG) for name in "abc")], seen_by)
    left = (seen_by.spoken, seen_by.sounding, seen_by.output, seen_by.metadata, seen_by.continues, seen_by.replaces)
    assert [len(kept) for kept in left] == [0] * 6
