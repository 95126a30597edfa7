"""Branches, corrections and reactions, as clients of each kind live through them."""

import json
from typing import Any

import pytest

from gateway.agents.scripted import Fail, Hold, Say, ScriptedAgent
from gateway.core import inputs as inp
from gateway.core.ids import Generation
from tests.protocol.stock import STANDARD, problems
from tests.transports.inbox import Json
from tests.transports.wire import Client, Mirror, add_voice, line, report, update
from tests.virtual_time import run, settle


def words(text: str) -> list[Json]:
    return [{"type": "input_text", "text": text}]


async def edit(client: Client, item_id: str, text: str, **fields: Any) -> None:
    await client.send("conversation.item.update", item_id=item_id, content=words(text), **fields)


async def path_of(client: Client) -> list[str]:
    return [node.item_id for node in (await client.connection.actor.glance()).path]


def since(client: Client, place: int) -> list[tuple[str, str, str | None]]:
    """The messages that came and went after a *place*: what happened, to which, and after which."""
    return [
        (it["type"].rpartition(".")[2], it.get("item_id") or it["item"]["id"], it.get("previous_item_id"))
        for it in client.got[place:]
        if it["type"].startswith("conversation.item.")
    ]


# --- edit ---


def test_an_edit_brings_the_pictures_that_it_names() -> None:
    async def main() -> None:
        agent = ScriptedAgent("One.", "Two.")
        async with line(agent) as at:
            client = await at.connect(await at.open(), extended=True)
            await client.ask("first")
            await client.get("response.done")
            question = (await path_of(client))[0]
            content = [*words("second"), {"type": "input_image", "image_url": "https://example.org/clock.png"}]
            await client.send("conversation.item.update", item_id=question, content=content, response=True)
            await client.get("response.done", 2)
            assert agent.asked[1].messages[0].images == ("https://example.org/clock.png",)
            entered = client.all("conversation.item.added")[-2]["item"]
            assert [part["type"] for part in entered["content"]] == ["input_text", "input_image"]

    run(main())


def test_an_edit_is_told_to_stock_clients_as_messages_that_leave_and_enter() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("One.", "Two.")) as at:
            actor = await at.open()
            stock, extended = await at.connect(actor), await at.connect(actor, extended=True)
            await extended.ask("first")
            await stock.get("response.done")
            question, answer = await path_of(stock)
            place = len(stock.got)
            await edit(extended, question, "second", new_item_id="mine", response=True)
            await stock.get("response.done", 2)
            assert since(stock, place)[:4] == [
                ("deleted", answer, None),
                ("deleted", question, None),
                ("added", "mine", None),
                ("done", "mine", None),
            ]
            assert {it["type"] for it in stock.got} <= STANDARD
            assert all(problems(json.dumps(it)) == [] for it in stock.got)
            assert [it["reason"] for it in stock.all("conversation.item.deleted")] == ["branch_left"] * 2
            assert list(Mirror.of(stock.got).texts.values()) == ["second", "Two."]
            assert Mirror.of(extended.got).texts == Mirror.of(stock.got).texts

    run(main())


def test_the_model_is_given_the_active_path_alone() -> None:
    async def main() -> None:
        agent = ScriptedAgent("One.", "Two.", "Three.")
        async with line(agent) as at:
            client = await at.connect(await at.open(), extended=True)
            await client.ask("first")
            await client.get("response.done")
            question, answer = await path_of(client)
            await edit(client, question, "second", response=True)
            await client.get("response.done", 2)
            await client.send("conversation.branch.select", item_id=answer)
            await client.ask("and then?")
            await client.get("response.done", 3)
            given = [[message.text for message in asked.messages] for asked in agent.asked]
            assert given == [["first"], ["second"], ["first", "One.", "and then?"]]

    run(main())


def test_extended_clients_are_told_what_stands_beside_what() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("One.")) as at:
            actor = await at.open()
            client = await at.connect(actor, extended=True)
            await client.ask("first")
            await client.get("response.done")
            question, answer = await path_of(client)
            await edit(client, question, "second", new_item_id="mine")
            told = await client.get("conversation.siblings")
            assert told["siblings"] == {"mine": {"index": 1, "count": 2, "ids": [question, "mine"]}}
            assert client.types()[-2:] == ["conversation.branch.selected", "conversation.siblings"]
            await client.send("conversation.branch.select", item_id=question)
            told = await client.get("conversation.siblings", 2)
            assert told["siblings"] == {question: {"index": 0, "count": 2, "ids": [question, "mine"]}}
            assert (await client.get("conversation.branch.selected", 2))["item_id"] == answer
            late = await at.connect(actor, extended=True)
            assert [it.get("siblings") for it in late.got[-1]["items"]] == [told["siblings"][question], None]
            assert Mirror.of(late.got).texts == Mirror.of(client.got).texts
            stock = await at.connect(actor)
            assert all("siblings" not in it.get("item", {}) for it in stock.got)

    run(main())


def test_an_edit_while_an_answer_sounds_is_told_when_it_has_ended_and_the_new_answer_follows() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("One two three.", "Four.")) as at:
            actor = await at.open()
            stock, extended = await at.connect(actor), await at.connect(actor, extended=True)
            voice = add_voice(extended)
            await extended.ask("count")
            await stock.get("response.done")
            report(extended, inp.PlayoutStarted(Generation(1)))
            voice.play(Generation(1), 7, 400)
            question, answer = await path_of(stock)
            place = len(stock.got)
            await edit(extended, question, "letters", response=True, event_id="e1")
            await extended.get("response.done", 2)
            kinds = [it for it in stock.types(place) if not it.startswith("response.")]
            assert kinds[:5] == [
                "conversation.item.truncated",
                "conversation.item.deleted",
                "conversation.item.deleted",
                "conversation.item.added",
                "conversation.item.done",
            ]
            assert stock.types(place).index("response.created") > stock.types(place).index("conversation.item.added")
            assert extended.all("command.accepted")[0]["command_id"] == "e1"
            await extended.send("conversation.branch.select", item_id=answer)
            assert (await extended.get("conversation.branch.selected", 2))["item_id"] == answer
            shown = [it["item"] for it in extended.all("conversation.item.done") if it["item"]["id"] == answer][-1]
            assert (shown["heard_text"], shown["unheard_text"]) == ("One two", " three.")

    run(main())


def test_a_session_may_keep_its_answers_from_being_interrupted_by_an_edit() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One"), Hold()])
        async with line(agent) as at:
            client = await at.connect(await at.open(), extended=True)
            await client.send("session.update", **update(bargein={"on_edit": "reject"}))
            assert (await client.get("session.updated"))["session"]["bargein"]["on_edit"] == "reject"
            await client.ask("hi")
            await agent.holding()
            await edit(client, (await path_of(client))[0], "ho")
            refused = await client.get("command.rejected")
            assert refused["code"] == "conversation_already_has_active_response"
            assert agent.endings == ["running"]
            agent.release()

    run(main())


# --- regenerate ---


def test_an_answer_is_given_again_beside_the_one_before() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("One.", "Two.")) as at:
            client = await at.connect(await at.open(), extended=True)
            await client.ask("hi")
            await client.get("response.done")
            question, answer = await path_of(client)
            await client.send("response.create", replaces=answer)
            done = await client.get("response.done", 2)
            assert done["response"]["replaces"] == answer
            known = Mirror.of(client.got)
            assert list(known.texts.values()) == ["hi", "Two."]
            again = done["response"]["output"][0]["id"]
            assert known.siblings == {again: [answer, again]}
            assert (await path_of(client)) == [question, again]

    run(main())


def test_the_answer_before_is_told_again_when_the_model_fails() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("One.", [Fail("model_failed")])) as at:
            client = await at.connect(await at.open())
            await client.ask("hi")
            await client.get("response.done")
            before = Mirror.of(client.got).texts
            await client.send("response.create", replaces=(await path_of(client))[1])
            await client.get("response.done", 2)
            await settle()
            assert Mirror.of(client.got).texts == before

    run(main())


# --- looking ---


def test_a_stock_client_cannot_look_at_what_is_beside_the_path_and_an_extended_one_can() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("One.")) as at:
            actor = await at.open()
            stock, extended = await at.connect(actor), await at.connect(actor, extended=True)
            await extended.ask("first")
            await extended.get("response.done")
            question, answer = await path_of(extended)
            await edit(extended, question, "second", new_item_id="mine")
            await extended.get("conversation.siblings")
            for client in (stock, extended):
                await client.send("conversation.item.retrieve", item_id=answer)
            assert (await stock.get("error"))["error"]["code"] == "item_retrieve_invalid_item_id"
            assert (await extended.get("conversation.item.retrieved"))["item"]["content"][0]["text"] == "One."

    run(main())


def test_the_tree_is_told_in_pages() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("One.")) as at:
            client = await at.connect(await at.open(), extended=True)
            await client.ask("first")
            await client.get("response.done")
            question, answer = await path_of(client)
            await edit(client, question, "second", new_item_id="mine")
            await client.get("conversation.siblings")
            await client.send("conversation.tree.retrieve", limit=2)
            page = await client.get("conversation.tree.retrieved")
            assert [(it["id"], it["parent"], it["role"], it["active"]) for it in page["nodes"]] == [
                (question, None, "user", False),
                (answer, question, "assistant", False),
            ]
            assert (page["tip"], page["next"]) == ("mine", answer)
            await client.send("conversation.tree.retrieve", after=page["next"])
            page = await client.get("conversation.tree.retrieved", 2)
            assert [(it["id"], it["active"]) for it in page["nodes"]] == [("mine", True)]
            assert page["next"] is None
            await client.send("conversation.tree.retrieve", after="nobody")
            assert (await client.get("error"))["error"]["code"] == "item_retrieve_invalid_item_id"

    run(main())


# --- corrections, reactions, metadata ---


def test_a_correction_is_told_as_the_same_message_and_the_model_is_given_it() -> None:
    async def main() -> None:
        agent = ScriptedAgent("One.", "Two.")
        async with line(agent) as at:
            actor = await at.open()
            stock, extended = await at.connect(actor), await at.connect(actor, extended=True)
            await extended.ask("frist")
            await extended.get("response.done")
            question, _ = await path_of(extended)
            await edit(extended, question, "first", mode="correct")
            await settle()
            told = stock.all("conversation.item.done")[-1]
            assert (told["item"]["id"], told["item"]["content"], told["previous_item_id"]) == (
                question,
                words("first"),
                None,
            )
            version = {"number": 2, "by": "device_2", "at": told["item"]["version"]["at"]}
            assert told["item"]["version"] == version
            assert problems(json.dumps(told)) == []
            await extended.ask("and?")
            await extended.get("response.done", 2)
            assert [message.text for message in agent.asked[1].messages] == ["first", "One.", "and?"]
            late = await at.connect(actor, extended=True)
            assert late.got[-1]["items"][0]["version"] == version

    run(main())


def test_reactions_are_told_to_extended_clients_and_stand_on_the_message() -> None:
    async def main() -> None:
        async with line(ScriptedAgent()) as at:
            actor = await at.open()
            stock, extended = await at.connect(actor), await at.connect(actor, extended=True)
            await extended.say("hi")
            await settle()
            (item,) = await path_of(extended)
            for _ in range(2):
                await extended.send("reaction.add", item_id=item, reaction="👍")
            await extended.send("reaction.add", item_id=item, reaction="ok")
            await extended.send("reaction.remove", item_id=item, reaction="ok")
            await settle()
            told = [(it["reaction"], it["by"], it["given"], it["count"]) for it in extended.got if "given" in it]
            assert told == [("👍", "device_2", True, 1), ("ok", "device_2", True, 1), ("ok", "device_2", False, 0)]
            assert {it["type"] for it in stock.got} <= STANDARD
            late = await at.connect(actor, extended=True)
            assert late.got[-1]["items"][0]["reactions"] == [{"reaction": "👍", "count": 1, "by": ["device_2"]}]

    run(main())


@pytest.mark.parametrize("reaction", ["", "two words", "x" * 33])
def test_a_reaction_is_no_text(reaction: str) -> None:
    async def main() -> None:
        async with line(ScriptedAgent()) as at:
            client = await at.connect(await at.open(), extended=True)
            await client.send("reaction.add", item_id="any", reaction=reaction)
            assert (await client.get("error"))["error"]["code"] == "invalid_value"

    run(main())


def test_metadata_of_a_session_is_shared_and_replaced_as_a_whole() -> None:
    async def main() -> None:
        async with line(ScriptedAgent()) as at:
            actor = await at.open()
            one, other = await at.connect(actor, extended=True), await at.connect(actor)
            for metadata, told in (({"order": "7", "lang": "de"}, None), ({"order": "8"}, None), (None, {})):
                await one.send("session.update", **update(bargein={"metadata": metadata}))
                await settle()
                updated = other.all("session.updated")[-1]["session"]["bargein"]["metadata"]
                assert updated == (metadata if told is None else told)

    run(main())


@pytest.mark.parametrize(
    "metadata", [{f"k{number}": "v" for number in range(17)}, {"": "v"}, {"k" * 65: "v"}, {"k": "v" * 513}, {"k": 1}]
)
def test_metadata_is_bounded(metadata: Json) -> None:
    async def main() -> None:
        async with line(ScriptedAgent()) as at:
            client = await at.connect(await at.open())
            await client.send("session.update", **update(bargein={"metadata": metadata}))
            assert (await client.get("error"))["error"]["code"] == "invalid_value"

    run(main())


@pytest.mark.parametrize(
    "sent",
    [
        {"type": "conversation.item.update", "item_id": "a", "content": []},
        {"type": "conversation.branch.select", "item_id": "a"},
        {"type": "conversation.tree.retrieve"},
        {"type": "reaction.add", "item_id": "a", "reaction": "+1"},
        {"type": "reaction.remove", "item_id": "a", "reaction": "+1"},
    ],
)
def test_only_extended_clients_may_ask_for_it(sent: Json) -> None:
    async def main() -> None:
        async with line(ScriptedAgent()) as at:
            client = await at.connect(await at.open())
            await client.connection.receive(json.dumps(sent))
            assert (await client.get("error"))["error"]["code"] == "unknown_event_type"

    run(main())


def test_settings_that_cannot_be_taken_are_refused_and_the_session_goes_on() -> None:
    async def main() -> None:
        async with line(ScriptedAgent("One.")) as at:
            actor = await at.open()
            client, other = await at.connect(actor), await at.connect(actor)
            await client.send("session.update", **update(bargein={"stop_words": ["..."], "metadata": {"k": "v"}}))
            assert (await client.get("error"))["error"]["param"] == "session.bargein.stop_words"
            await other.ask("hi")
            await other.get("response.done")
            assert actor.state.conversation.settings.metadata == {}

    run(main())


# --- words that were removed ---


def test_what_was_redacted_enters_again_without_words_and_is_not_given_to_the_model() -> None:
    async def main() -> None:
        agent = ScriptedAgent("One.", "Two.")
        async with line(agent) as at:
            actor = await at.open()
            client = await at.connect(actor, extended=True)
            await client.ask("canary")
            await client.get("response.done")
            question, answer = await path_of(client)
            await edit(client, question, "otherwise")
            await edit(client, (await path_of(client))[0], "canary, put right", mode="correct")
            (edited,) = await path_of(client)
            for item_id in (question, edited):
                await client.send("conversation.item.redact", item_id=item_id)
            await client.get("conversation.item.redacted", 2)
            place = len(client.got)
            await client.send("conversation.branch.select", item_id=answer)
            await client.ask("and then?")
            await client.get("response.done", 2)
            entered = next(it["item"] for it in client.got[place:] if it["type"] == "conversation.item.added")
            assert (entered["content"], entered["redacted"]) == (words(""), True)
            assert [message.text for message in agent.asked[1].messages] == ["One.", "and then?"]
            for extended in (True, False):
                late = await at.connect(actor, extended=extended)
                assert "canary" not in json.dumps(late.got)
            resumed = await at.connect(actor, extended=True, resume=(actor.epoch, 0))
            assert "canary" not in json.dumps(resumed.got)

    run(main())
