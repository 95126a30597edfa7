"""Says at the end which stock clients were left out."""

import pytest

from tests.clients.catalogue import CLIENTS, OWN


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line: those that want an environment of their own."""
    left = ", ".join(client.name for client in CLIENTS if client.environment != OWN)
    terminalreporter.write_line(f"Stock clients left out ({left}): run them with scripts/test --clients.")
