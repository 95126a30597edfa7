"""The stock clients that need nothing but the environment of the tests; ``scripts/clients`` runs all of them."""

import asyncio
from pathlib import Path

import pytest

from tests.clients.cases import CASES, Report, Result, from_json, read
from tests.clients.catalogue import CLIENTS, OWN, WIRE, Stock
from tests.clients.document import PATH
from tests.clients.stage import perform

HERE = [client for client in (*CLIENTS, WIRE) if client.environment == OWN]


@pytest.mark.alone
@pytest.mark.process
@pytest.mark.timeout(150)
@pytest.mark.parametrize("client", HERE, ids=lambda client: client.name)
def test_a_client_holds_a_session(client: Stock, tmp_path: Path) -> None:
    report = asyncio.run(perform(client, tmp_path))
    assert report.failed == ()


def test_a_case_of_which_nothing_was_said_failed() -> None:
    lines = ['{"case": "connect", "outcome": "passed", "reason": ""}', "noise"]
    report = read("it", "1", CASES, lines, "it fell over")
    assert report.results[0] == Result("connect", "passed")
    assert [result.case for result in report.failed] == list(CASES)[1:]
    assert "it fell over" in report.failed[0].reason


def test_a_report_is_read_as_it_was_written() -> None:
    report = Report("it", "1.2", (Result("text", "passed"), Result("resume", "not_applicable", "why")))
    assert from_json(report.to_json()) == report


def test_the_document_has_every_client_at_the_version_of_its_lock_and_no_failure() -> None:
    text = PATH.read_text("utf-8")
    for client in CLIENTS:
        assert f"| {client.name} | {client.version()} | {client.over} | ✓" in text
    assert "✗" not in text.replace("✗ failed", "")
