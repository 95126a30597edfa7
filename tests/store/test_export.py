"""A session as JSON lines: all of it, with its words, and without those that were removed."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.app import export_session
from gateway.core.events import Fact, ItemRedacted
from gateway.core.ids import SessionId
from gateway.errors import GatewayError
from gateway.runtime.ports import Store
from gateway.store.export import PAGE, export
from tests.store.conftest import HERE, Play
from tests.store.test_catalogue import opened
from tests.store.test_contract import WALL, A, B, answered, said
from tests.store.test_sqlite import play as play_at


async def exported(store: Store, session: SessionId = HERE) -> list[dict[str, Any]]:
    """The lines, read."""
    return [json.loads(line) async for line in export(store, session)]


def test_every_fact_has_its_line_after_one_about_the_session(play: Play) -> None:
    async def scenario(store: Store) -> None:
        await store.append(HERE, 0, [opened(topic="time"), said(A, "What time is it?")], WALL)
        await store.append(HERE, 2, [answered(B, "Nine.")], WALL + 1)
        about, first, second, third = await exported(store)
        assert about == {
            "v": 1,
            "session": HERE,
            "tenant": "default",
            "epoch": "epoch_1",
            "seq": 3,
            "created": WALL,
            "used": WALL + 1,
            "metadata": {"topic": "time"},
        }
        assert (first["seq"], first["t"], first["settings"]["metadata"]) == (1, "session_opened", {"topic": "time"})
        assert (second["t"], second["item_id"], second["text"]) == ("item_added", A, "What time is it?")
        assert (third["seq"], third["wall"], third["t"], third["text"]) == (3, WALL + 1, "item_completed", "Nine.")

    play(scenario)


def test_a_long_log_is_exported_whole_and_in_order(play: Play) -> None:
    async def scenario(store: Store) -> None:
        facts: Sequence[Fact] = [said(A, f"line {number}\n") for number in range(2 * PAGE + 3)]
        await store.append(HERE, 0, facts, WALL)
        lines = await exported(store)
        assert [line["seq"] for line in lines[1:]] == list(range(1, len(facts) + 1))
        assert [line["text"] for line in lines[1:]] == [f"line {number}\n" for number in range(len(facts))]

    play(scenario)


def test_removed_words_are_not_exported(play: Play) -> None:
    async def scenario(store: Store) -> None:
        await store.append(HERE, 0, [said(A, "my PIN"), ItemRedacted(A)], WALL)
        lines = await exported(store)
        assert [line["t"] for line in lines[1:]] == ["item_added", "item_redacted"]
        assert lines[1]["text"] == ""

    play(scenario)


def test_an_unknown_session_has_no_lines(play: Play) -> None:
    async def scenario(store: Store) -> None:
        assert await exported(store, SessionId("sess_00none")) == []

    play(scenario)


def test_a_session_of_a_directory_is_exported_and_what_is_wrong_is_a_sentence(tmp_path: Path) -> None:
    async def lines(session: str) -> list[bytes]:
        return [line async for line in export_session(tmp_path, session)]

    with pytest.raises(GatewayError, match="no log"):
        asyncio.run(lines(HERE))

    async def write(store: Store) -> None:
        await store.create(HERE, "epoch_1")
        await store.append(HERE, 0, [said(A, "hello")], WALL)

    play_at(tmp_path / "bargein.sqlite", write)
    assert len(asyncio.run(lines(HERE))) == 2
    with pytest.raises(GatewayError, match="no session"):
        asyncio.run(lines("sess_00none"))
