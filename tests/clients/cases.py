"""What every client is asked to do, and how it is written down."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

CASES: Final[Mapping[str, str]] = {
    "connect": "the session opens, and the client is satisfied with it",
    "text": "a typed question gets the answer",
    "function_call": "the model asks for the client's function, and answers with its result",
    "voice": "recorded speech is understood, and answered with sound",
    "barge_in": "speech over the answer cuts it; the cut answer stays silent and the new words are answered",
    "truncation": "the client's truncation is accepted, and the conversation keeps what was heard",
    "cancel": "the client stops an answer",
    "resume": "after a lost connection the client goes on in the same conversation",
    "no_errors": "every event was as the standard has it and none an error, and the client complained of nothing",
}
"""In the order in which they are tried, with what each means."""

FRAMES: Final[Mapping[str, str]] = {
    "framing": "1: lengths, and frames in pieces",
    "pings": "2: pings and pongs",
    "reserved_bits": "3: reserved bits",
    "opcodes": "4: opcodes that are not defined",
    "fragments": "5: fragments, and what comes between them",
    "utf_8": "6: UTF-8",
    "closing": "7: closing",
}
"""Groups of cases of WebSocket itself, numbered as Autobahn's."""

Outcome = Literal["passed", "failed", "not_applicable"]


@dataclass(frozen=True, slots=True)
class Result:
    """How one case went. ``reason`` says why it failed, or why it does not apply."""

    case: str
    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """All cases of one client."""

    client: str
    version: str
    results: tuple[Result, ...]

    @property
    def failed(self) -> tuple[Result, ...]:
        """The cases that failed."""
        return tuple(result for result in self.results if result.outcome == "failed")

    def to_json(self) -> str:
        """For a file; :func:`from_json` reads it."""
        cases = {
            each.case: {"outcome": each.outcome, **({"reason": each.reason} if each.reason else {})}
            for each in self.results
        }
        return json.dumps({"client": self.client, "version": self.version, "cases": cases}, indent=2) + "\n"


def from_json(text: str) -> Report:
    """What :meth:`Report.to_json` wrote."""
    found = json.loads(text)
    results = (Result(case, each["outcome"], each.get("reason", "")) for case, each in found["cases"].items())
    return Report(found["client"], found["version"], tuple(results))


def read(client: str, version: str, cases: Iterable[str], lines: Iterable[str], tail: str) -> Report:
    """What a driver printed. A case of which it said nothing failed; *tail* tells how it ended."""
    told: dict[str, Result] = {}
    for line in lines:
        if line.startswith('{"case"'):
            said: dict[str, Any] = json.loads(line)
            told[said["case"]] = Result(said["case"], said["outcome"], said.get("reason", ""))
    silent = f"the client's program ended before: {tail}"
    return Report(client, version, tuple(told.get(case, Result(case, "failed", silent)) for case in cases))
