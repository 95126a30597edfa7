"""``python -m tests.clients [NAME…]``: run the clients whose name contains one of these, else all, and print a table."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from tests.clients.cases import CASES, Report
from tests.clients.catalogue import CLIENTS
from tests.clients.stage import perform

SIGNS = {"passed": "✓", "failed": "✗", "not_applicable": "–"}


def main(names: Sequence[str]) -> int:
    """Run them one after another, as sound wants a machine for itself."""
    reports = []
    for client in CLIENTS:
        if names and not any(name.lower() in client.name.lower() for name in names):
            continue
        with TemporaryDirectory(prefix="bargein-clients-") as folder:
            reports.append(asyncio.run(perform(client, Path(folder))))
    show(reports)
    return any(report.failed for report in reports)


def show(reports: Sequence[Report]) -> None:
    """The table, and below it why."""
    table = Table("client", "version", *CASES)
    for report in reports:
        table.add_row(report.client, report.version, *(SIGNS[result.outcome] for result in report.results))
    console = Console(width=160)
    console.print(table)
    for report in reports:
        for result in report.results:
            if result.reason:
                console.print(f"{SIGNS[result.outcome]} {report.client}, {result.case}: {result.reason}", markup=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
