"""What the log of a session must hold of the commands that were given: each that was acknowledged, once."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.faults.device import Given

Line = dict[str, Any]
"""A fact, as it is exported."""


def check(log: Sequence[Line], given: Sequence[Given]) -> None:
    """Raise ``AssertionError`` when *log* does not tell of what was acknowledged, of nothing else, and of it once."""
    applied = {line["key"]: line["seq"] for line in log if line["t"] == "command_applied"}
    taken = {it.receipt.command_id: it for it in given if it.receipt is not None}
    assert [line["t"] for line in log].count("command_applied") == len(applied)
    assert applied.keys() == taken.keys()
    in_order = [taken[key] for key in sorted(applied, key=applied.__getitem__)]
    for each in in_order:
        told = _told(log, each.item_id)
        assert _is_once(each, told), (each, told)
    _check_refused(log, given)
    _check_words(log, in_order)
    _check_answers(log)


def _told(log: Sequence[Line], item_id: str) -> Counter[str]:
    """The facts about a message."""
    return Counter(line["t"] for line in log if item_id and line.get("item_id") == item_id)


def _is_once(given: Given, told: Counter[str]) -> bool:
    """Is all there, and once, that came of a command which was applied? Changes of words are looked at in their row."""
    match given.kind:
        case "say" | "ask" | "branch":
            return told["item_added"] == 1
        case "queue":
            return told["turn_queued"] <= 1 and told["item_added"] + told["queue_withdrawn"] == 1
        case "steer":
            ends = told["steer_consumed"] + told["steer_failed"]
            return told["steer_accepted"] == ends == 1 and told["item_added"] == told["steer_consumed"]
        case "withdraw":
            return told["queue_withdrawn"] == 1 and not told["item_added"] + told["queue_taken"]
        case _:
            return True


def _check_refused(log: Sequence[Line], given: Sequence[Given]) -> None:
    """Nothing came of a command that was refused."""
    for each in given:
        if each.refused and each.kind not in ("correct", "edit", "withdraw"):
            assert not _told(log, each.item_id), each


def _check_words(log: Sequence[Line], taken: Sequence[Given]) -> None:
    """Every message says what it was told to say, in the order of *taken*, and there is none that nobody sent."""
    said = {it.item_id: it.words for it in taken if it.kind in ("say", "ask", "queue", "steer", "branch")}
    said |= {it.item_id: it.words for it in taken if it.kind == "edit"}
    added = [line for line in log if line["t"] == "item_added" and line["role"] == "user"]
    assert all(line["text"] == said[line["item_id"]] for line in added)
    corrected = [(line["item_id"], line["text"]) for line in log if line["t"] == "item_corrected"]
    assert corrected == [(it.item_id, it.words) for it in taken if it.kind == "correct"]
    edited = [line["item_id"] for line in log if line["t"] == "queue_edited"]
    assert edited == [it.item_id for it in taken if it.kind == "edit"]


def _check_answers(log: Sequence[Line]) -> None:
    """Each answer has one end, and no command has two answers."""
    began = Counter(line["response_id"] for line in log if line["t"] == "response_started")
    assert set(began.values()) == {1}
    assert began == Counter(line["response_id"] for line in log if line["t"] == "response_ended")
    asked = Counter(line["command"] for line in log if line["t"] == "response_started" and line["command"])
    assert set(asked.values()) == {1}
