"""``docs/protocol.md`` tells the truth: each example is what the code reads or writes, each table what it does."""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, get_args

import msgspec
import pytest

from gateway.auth.rights import names
from gateway.core import events as ev
from gateway.core.ids import DeviceId, FloorGeneration, Generation, ItemId, LegId, ResponseId
from gateway.core.members import Member, MemberId, Occupancy
from gateway.core.values import Failure, Settings
from gateway.protocol import realtime as rt
from gateway.protocol.close_codes import CloseCode
from gateway.protocol.projection import project
from gateway.protocol.view import View
from gateway.transports.permits import NEEDS
from tests.protocol.examples import CLIENT_EVENTS, DOCUMENT, EXTENSION, SERVER_EVENTS, Json, examples
from tests.protocol.stock import LIVE, RESPONSES, STANDARD, problems

PAGE: Final = DOCUMENT.read_text("utf-8")
SOURCES: Final = sorted(path for room in ("gateway", "media") for path in (DOCUMENT.parents[1] / room).rglob("*.py"))


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    section = PAGE.split(f"\n## {heading}")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def quoted(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


# --- examples ---


def test_every_client_event_has_an_example() -> None:
    assert {sent["type"] for sent in examples("client")} == set(CLIENT_EVENTS)


def test_every_server_event_has_an_example() -> None:
    assert {told["type"] for told in examples("server")} == set(SERVER_EVENTS)


@pytest.mark.parametrize("told", examples("server"), ids=lambda told: str(told["type"]))
def test_a_server_example_is_exactly_what_is_written(told: Json) -> None:
    event: Any = msgspec.convert(told, SERVER_EVENTS[told["type"]])
    assert json.loads(rt.encode(event)) == told


@pytest.mark.parametrize("told", examples("server"), ids=lambda told: str(told["type"]))
def test_an_example_is_standard_or_an_extension(told: Json) -> None:
    if told["type"] in EXTENSION:
        assert told["type"] not in STANDARD
    else:
        assert problems(json.dumps(told)) == []


def test_nothing_of_the_extension_has_a_standard_name() -> None:
    assert not EXTENSION & STANDARD


# --- the map ---

FAILURE: Final = Failure("code", "message")
ITEM, RESPONSE, LEG, FIRST = ItemId("item"), ResponseId("resp"), LegId("leg"), Generation(1)

MEMBER: Final = Member(MemberId("d"), DeviceId("d"), "name", "phone", "", 0.0)

SAMPLES: Final[list[ev.Event]] = [
    ev.SessionOpened(Settings()),
    ev.SettingsChanged(Settings()),
    ev.ItemAdded(ITEM, None, "user", "completed", "text"),
    ev.ItemAdded(ITEM, None, "assistant", "in_progress", response_id=RESPONSE, device=DeviceId("d")),
    ev.ItemAdded(ITEM, None, "user", "completed", "text", response_id=RESPONSE),
    ev.ItemAdded(ITEM, None, "tool", "completed", "{}", response_id=RESPONSE, kind="function_call", call_id="c"),
    ev.ItemTranscribed(ITEM, "text"),
    ev.ItemTranscriptionFailed(ITEM, FAILURE),
    ev.ItemCompleted(ITEM, RESPONSE, "completed", "text"),
    ev.ItemTruncated(ITEM, "te", "xt", 5),
    ev.ItemRemoved(ITEM, "deleted"),
    ev.ItemRedacted(ITEM),
    ev.ResponseStarted(RESPONSE, FIRST, LEG),
    ev.ResponseEnded(RESPONSE, FIRST, "completed", ITEM),
    ev.PlayoutStarted(RESPONSE, LEG),
    ev.PlayoutStopped(RESPONSE, LEG),
    ev.PlayoutCleared(RESPONSE, LEG),
    ev.FloorChanged(FloorGeneration(1), DeviceId("d"), LEG, "claimed"),
    ev.PlayoutMoved(RESPONSE, LEG),
    ev.CommandApplied("key", "digest", 0.0),
    ev.TurnQueued(ITEM, "text", "queue"),
    ev.QueueEdited(ITEM, "text"),
    ev.QueueReordered((ITEM,)),
    ev.QueueWithdrawn(ITEM, "withdrawn"),
    ev.QueueTaken(ITEM),
    ev.SteerAccepted(ITEM, RESPONSE, "text", "now"),
    ev.SteerConsumed(ITEM, RESPONSE),
    ev.SteerFailed(ITEM, RESPONSE, "code", "text"),
    ev.ResponseSteered(RESPONSE, FIRST, LEG),
    ev.BranchSelected(ITEM, (ITEM,), (ev.Entered(ITEM, None, "user", "completed", False, DeviceId("d"), False, 0),)),
    ev.ItemCorrected(ITEM, "text", 2, DeviceId("d"), 0.0, None, False, DeviceId("d")),
    ev.ReactionAdded(ITEM, "+1", DeviceId("d"), 1),
    ev.ReactionRemoved(ITEM, "+1", DeviceId("d"), 0),
    ev.AsideStarted(RESPONSE, FIRST),
    ev.AsideCalled(RESPONSE, ITEM, "call", "name", "{}"),
    ev.AsideEnded(RESPONSE, ITEM, "completed", "text"),
    ev.ContextShortened(ITEM, ITEM, "text", sums_up=True),
    ev.ContextRestored(ITEM),
    ev.TextAppended(RESPONSE, ITEM, 0, "text"),
    ev.AsideAppended(RESPONSE, ITEM, 0, "text"),
    ev.ReasoningAppended(RESPONSE, 0, "text"),
    ev.SpeechSuspected(LEG, 5),
    ev.SpeechConfirmed(LEG),
    ev.SpeechDismissed(LEG),
    ev.PlayoutPaused(LEG, RESPONSE),
    ev.PlayoutResumed(LEG, RESPONSE),
    ev.SpeechStarted(LEG, ITEM, 5),
    ev.SpeechStopped(LEG, ITEM, 5),
    ev.InputCommitted(LEG, ITEM, None),
    ev.TurnWorded(LEG, ITEM, "text"),
    ev.TimeoutTriggered(LEG, ITEM, 5, 6),
    ev.TruncationKept(LEG, ITEM, 5),
    ev.SteerPending(ITEM, RESPONSE, "now"),
    ev.CommandRejected(LEG, "command", FAILURE),
    ev.PresenceChanged((MEMBER,), (), (), "idle", Occupancy(1, 0, 0)),
    ev.ReactionSent(MEMBER.member_id, MEMBER.device, "!"),
    ev.SiblingsChanged(((ITEM, (ITEM, ItemId("other"))),)),
]


def views() -> Iterator[View]:
    """A connection of each kind, before an answer and while it sounds."""
    for extended, alive in itertools.product((False, True), (False, True)):
        view = View(LEG, extended, lambda: rt.Session("s", "", "", [], {}), buffered=True)
        if alive:
            view.spoken.add(RESPONSE)
            view.sounding.add(RESPONSE)
        yield view


def test_the_map_names_every_event_of_the_core() -> None:
    kinds = {kind.__name__ for kind in get_args(ev.Event)}
    assert [quoted(row[0]) for row in rows("5.")] == [{kind.__name__} for kind in get_args(ev.Event)]
    assert {type(sample).__name__ for sample in SAMPLES} == kinds


@pytest.mark.parametrize("row", rows("5."), ids=lambda row: str(row[0]))
def test_the_map_names_the_events_that_tell_it(row: list[str]) -> None:
    (name,) = quoted(row[0])
    samples = [sample for sample in SAMPLES if type(sample).__name__ == name]
    wires = {type(wire) for sample in samples for view in views() for wire in project(sample, view)}
    told = {kind for kind, wire in SERVER_EVENTS.items() if wire in wires}
    assert told == quoted(row[2]) | quoted(row[3])
    assert told & EXTENSION == quoted(row[3])
    assert row[1] == ("fact" if isinstance(samples[0], get_args(ev.Fact)) else "signal")


@pytest.mark.parametrize("row", rows("5."), ids=lambda row: str(row[0]))
def test_the_map_names_real_events_of_the_other_protocols(row: list[str]) -> None:
    for cell, known in zip(row[4:], (RESPONSES, LIVE), strict=True):
        assert quoted(cell) <= known
        assert quoted(cell) or cell == "–"


def test_the_last_event_that_tells_a_fact_is_numbered_in_the_examples_and_no_other() -> None:
    facts = [sample for sample in SAMPLES if isinstance(sample, get_args(ev.Fact))]
    last = {type(wire[-1]) for sample in facts for view in views() if (wire := project(sample, view))}
    numbered = {told["type"] for told in examples("server") if "prev_seq" in told}
    assert numbered == {kind for kind, wire in SERVER_EVENTS.items() if wire in last}


# --- rights ---


def named(text: str) -> set[str]:
    """Event types in a text, whole: ``.delete`` is of the type before it."""
    found: list[str] = []
    for name in re.findall(r"`([a-z_]*\.[a-z_.]+)`", text):
        found.append(f"{found[-1].rpartition('.')[0]}{name}" if name.startswith(".") else name)
    return set(found)


def test_the_table_of_rights_names_every_client_event() -> None:
    rights = {right: named(row[1]) for row in rows("10.") for right in quoted(row[0])}
    told = {kind: {right for right, kinds in rights.items() if kind in kinds} for kind in CLIENT_EVENTS}
    needed = {kind: set(names(NEEDS[kind])) for kind in CLIENT_EVENTS}
    assert {kind for kind, wanted in needed.items() if not wanted <= told[kind]} == set()
    (freely,) = [line for line in PAGE.splitlines() if line.startswith("`auth.refresh`")]
    assert named(freely) == {kind for kind, wanted in needed.items() if not wanted}


# --- codes ---


def test_every_close_code_is_listed() -> None:
    listed = [(row[0], *quoted(row[1])) for row in rows("7.")]
    assert listed == [(str(int(code)), code.name) for code in CloseCode]


CODE: Final = re.compile(
    r"(?:ProtocolViolation|AuthError|AgentError|StoreError|SpeechError|Failure|reject|failure)\((?:\d+,)?\s*\"([a-z_]+)\""
)


def codes_of(path: Path) -> set[str]:
    return set(CODE.findall(path.read_text("utf-8")))


def test_every_error_code_that_the_code_gives_is_listed() -> None:
    listed = quoted(PAGE.split("\n## 8.")[1].split("\n## ")[0])
    missing = {(path.name, code) for path in SOURCES for code in codes_of(path) - listed}
    assert missing == set()


def test_codes_are_found_in_the_code() -> None:
    found = set().union(*map(codes_of, SOURCES))
    assert {"invalid_json", "response_cancel_not_active", "session_not_found", "node_lost"} <= found
