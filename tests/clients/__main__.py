"""``python -m tests.clients [NAME…]``: run the clients whose name contains one of these, else all, and print a table.

Results lie in ``.clients/results``; when there is one of every client at its version, ``docs/compatibility.md`` is
written.
"""

import asyncio
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.clients.cases import Report, from_json
from tests.clients.catalogue import CLIENTS, ENVIRONMENTS, WIRE, Stock
from tests.clients.document import PATH, SIGNS, document
from tests.clients.stage import perform

RESULTS: Final = ENVIRONMENTS / "results"


def main(names: Sequence[str]) -> int:
    """Run them one after another, as sound wants a machine for itself."""
    chosen = [
        client for client in (*CLIENTS, WIRE) if not names or any(name.lower() in client.name.lower() for name in names)
    ]
    RESULTS.mkdir(parents=True, exist_ok=True)
    reports = []
    for client in chosen:
        sys.stderr.write(f"{client.name} {client.version()}…\n")
        with TemporaryDirectory(prefix="bargein-clients-") as folder:
            reports.append(asyncio.run(perform(client, Path(folder))))
        _path(client).write_text(reports[-1].to_json(), "utf-8")
    show(reports)
    known = [from_json(_path(client).read_text("utf-8")) for client in (*CLIENTS, WIRE) if _path(client).exists()]
    if {(client.name, client.version()) for client in (*CLIENTS, WIRE)} == {
        (each.client, each.version) for each in known
    }:
        PATH.write_text(document(known), "utf-8")
    return any(report.failed for report in reports)


def _path(client: Stock) -> Path:
    return RESULTS / f"{re.sub(r'[^a-z0-9]+', '-', client.name.lower()).strip('-')}.json"


def show(reports: Sequence[Report]) -> None:
    """A table for those that have the same cases, and below it why."""
    console = Console(width=170)
    for cases in dict.fromkeys(tuple(result.case for result in report.results) for report in reports):
        table = Table("client", "version", *(case.replace("_", " ") for case in cases))
        for report in reports:
            if tuple(result.case for result in report.results) == cases:
                table.add_row(report.client, report.version, *(SIGNS[result.outcome] for result in report.results))
        console.print(table)
    for report in reports:
        for result in report.results:
            if result.reason:
                console.print(f"{SIGNS[result.outcome]} {report.client}, {result.case}: {result.reason}", markup=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
