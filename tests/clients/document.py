"""``docs/compatibility.md``, made from the results."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tests.clients.cases import CASES, FRAMES, Report
from tests.clients.catalogue import CLIENTS, WIRE

PATH: Final = Path(__file__).parents[2] / "docs" / "compatibility.md"
SIGNS: Final = {"passed": "✓", "failed": "✗", "not_applicable": "–"}

_HEAD: Final = """# Compatibility
Written by `scripts/clients`, which installs these clients at these versions and lets each hold a session with a gateway
that runs as a process of its own: text, a function call, recorded speech, an interruption by recorded speech, a stop.
Nothing of a client is changed but its address and key; what it sends and gets is noted. The gateway runs with
`--after-empty-cut silent`, so that late words on a busy machine do not let a cut answer go on. The model is a local
server; espeak-ng speaks, and pocketsphinx listens.

## Clients
"""


def document(reports: Sequence[Report]) -> str:
    """The whole page."""
    by_name = {report.client: report for report in reports}
    lines = [
        *_row("client", "version", "over", *(case.replace("_", " ") for case in CASES)),
        *_row(*["---"] * (3 + len(CASES))),
    ]
    for client in CLIENTS:
        report = by_name[client.name]
        signs = (SIGNS[result.outcome] for result in report.results)
        lines += _row(f"{client.name}", report.version, client.over, *signs)
    notes = [
        f"- {report.client}, {result.case.replace('_', ' ')} {SIGNS[result.outcome]} {result.reason}"
        for report in (by_name[client.name] for client in CLIENTS)
        for result in report.results
        if result.reason
    ]
    cases = [f"- **{case.replace('_', ' ')}**: {meaning}" for case, meaning in CASES.items()]
    wire = [*_row("group", "", ""), *_row("---", "---", "---")]
    for result in by_name[WIRE.name].results:
        wire += _row(FRAMES[result.case], SIGNS[result.outcome], result.reason)
    return "\n".join(
        (
            _HEAD.rstrip("\n"),
            *lines,
            "",
            "✓ passed, ✗ failed, – not applicable.",
            "",
            *notes,
            "",
            "What the cases are:",
            "",
            *cases,
            "",
            "## WebSocket (RFC 6455)",
            "By a driver of our own that follows the case groups of Autobahn, whose own runner needs Python 2.",
            "",
            *wire,
            "",
        )
    )


def _row(*cells: str) -> Iterator[str]:
    yield f"| {' | '.join(cells)} |"
