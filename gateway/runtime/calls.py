"""The calls of tools in what a model is given: each with an id of its own, and no result without its call. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from gateway.runtime.ports import Message


def paired(messages: Sequence[Message]) -> list[Message]:
    """*messages* in their order, without what came of calls that are not among them (any more).

    Some servers count the calls of each answer anew, so that an id returns: a result belongs to the newest call before
    it, or to the first of several in a row that has none yet. Of several results of one call the last counts.
    """
    belongs = _belonging(messages)
    results = {call: at for at, call in belongs.items()}
    names = _names([(at, it.call_id) for at, it in enumerate(messages) if it.kind == "function_call"])
    told = []
    for at, message in enumerate(messages):
        call = at if message.kind == "function_call" else belongs.get(at)
        if message.kind == "message":
            told.append(message)
        elif call is not None and (call == at or results[call] == at):
            told.append(message if names[call] == message.call_id else replace(message, call_id=names[call]))
    return told


def _belonging(messages: Sequence[Message]) -> dict[int, int]:
    """Where each result stands, and where its call does."""
    belongs: dict[int, int] = {}
    asked: dict[str, list[int]] = {}
    row = 0
    for at, message in enumerate(messages):
        if message.kind == "function_call":
            known = asked.get(message.call_id, [])
            asked[message.call_id] = [*(it for it in known if it >= row), at]
            continue
        row = at + 1
        if message.kind == "function_call_output" and (calls := asked.get(message.call_id)):
            answered = set(belongs.values())
            belongs[at] = next((it for it in calls if it not in answered), calls[-1])
    return belongs


def _names(calls: Sequence[tuple[int, str]]) -> dict[int, str]:
    """An id for each call: its own, unless a call before has that."""
    taken = {call_id for _, call_id in calls}
    names: dict[int, str] = {}
    for at, call_id in calls:
        name, number = call_id, 1
        while name in names.values() or (number > 1 and name in taken):
            number += 1
            name = f"{call_id}-{number}"
        names[at] = name
    return names
