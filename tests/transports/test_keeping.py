"""A gateway keeps conversations as long as its settings say, and hands them out by a command."""

import asyncio
import json
from pathlib import Path

from typer.testing import CliRunner

from gateway.agents.scripted import ScriptedAgent
from gateway.cli import app
from gateway.core.events import ItemAdded
from gateway.core.ids import ItemId, SessionId
from gateway.store.sqlite import SqliteStore
from tests.transports.server import serving

LONG_AGO, OLD = 1_600_000_000.0, SessionId("sess_00old")


async def with_an_old_session(folder: Path) -> None:
    store = await SqliteStore.open(folder / "bargein.sqlite")
    await store.create(OLD, "epoch")
    await store.append(OLD, 0, [ItemAdded(ItemId("item_1"), None, "user", "completed", "hello")], LONG_AGO)
    await store.aclose()


def test_an_old_conversation_goes_when_the_settings_say_so_and_a_new_one_stays(tmp_path: Path) -> None:
    async def main() -> None:
        await with_an_old_session(tmp_path)
        async with serving(tmp_path, agent=ScriptedAgent()) as gateway:
            assert await gateway.services.store.info(OLD) is not None
            new = SessionId(await gateway.session())
        async with serving(tmp_path, agent=ScriptedAgent(), keep_days=1) as gateway:
            while await gateway.services.store.info(OLD) is not None:
                pass  # asking lets it happen
            assert await gateway.services.store.info(new) is not None

    asyncio.run(main())


def test_a_conversation_is_exported_by_a_command(tmp_path: Path) -> None:
    asyncio.run(with_an_old_session(tmp_path))
    to = tmp_path / "old.jsonl"
    ran = CliRunner().invoke(app, ["export", OLD, "--data", str(tmp_path), "--output", str(to)])
    assert ran.exit_code == 0, ran.output
    about, fact = map(json.loads, to.read_text("utf-8").splitlines())
    assert (about["session"], fact["text"]) == (OLD, "hello")


def test_an_export_that_cannot_be_made_makes_no_file(tmp_path: Path) -> None:
    to = tmp_path / "none.jsonl"
    ran = CliRunner().invoke(app, ["export", OLD, "--data", str(tmp_path), "--output", str(to)])
    assert ran.exit_code != 0
    assert not to.exists()
