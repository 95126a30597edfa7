"""Answers that bring their own sound: who is given it, from where on, and how long it is kept."""

import pytest

from gateway.agents.scripted import Fail, Give, Hold, Say, ScriptedAgent
from gateway.core import effects as fx, events as ev, inputs as inp
from gateway.core.ids import Generation, ItemId, LegId, ResponseId
from gateway.core.state import State
from gateway.errors import AgentError
from gateway.runtime.ports import Message, Sound
from gateway.runtime.scripted import Begun, Finished, ScriptedVoice, Sounded, Spoken
from gateway.runtime.sounding import MAX_SOUND_MS, STEP_BACK_MS, Sounding, sounds
from tests.runtime.stage import Client, stage
from tests.virtual_time import run, settle

FIRST, SECOND = Generation(1), Generation(2)
MS = 48
"""Bytes."""

PCM = bytes(range(1, 97)) * 500
"""A second: no two milliseconds side by side alike."""

TONE = Give(Sound(PCM))


def voice_of(client: Client) -> ScriptedVoice:
    assert client.voice is not None
    return client.voice


def sounded(voice: ScriptedVoice, generation: Generation = FIRST) -> bytes:
    return b"".join(call.pcm for call in voice.calls if isinstance(call, Sounded) and call.generation == generation)


def test_sound_goes_straight_to_the_leg_and_text_only_says_what_it_says() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One "), TONE, Say("two."), TONE], speaks=True)
        async with stage(agent) as on:
            client = await on.join(await on.open(), voice=True)
            await client.ask("go")
            item_id = (await client.listener.until_heard(ev.ResponseEnded)).item_id
            await settle()
            voice = voice_of(client)
            begun, *_, finished = voice.calls
            assert isinstance(begun, Begun)
            assert (begun.item_id, begun.own_sound, finished) == (item_id, True, Finished(FIRST))
            assert (sounded(voice), voice.spoken(FIRST)) == (PCM * 2, "One two.")
            assert client.listener.text == "One two."

    run(main())


def test_sound_before_the_first_word_opens_the_item() -> None:
    async def main() -> None:
        agent = ScriptedAgent([TONE, Hold(), Say("One.")], speaks=True)
        async with stage(agent) as on:
            client = await on.join(await on.open(), voice=True)
            await client.ask("go")
            await agent.holding()
            await settle()
            assert sounded(voice_of(client)) == PCM
            opened = client.listener.all(ev.ItemAdded)[-1]
            assert (opened.role, opened.status) == ("assistant", "in_progress")
            agent.release()
            done = await client.listener.until_heard(ev.ItemCompleted)
            assert (done.item_id, done.text) == (opened.item_id, "One.")

    run(main())


def test_an_answer_cut_before_its_first_word_leaves_an_item_without_words_or_none() -> None:
    async def main() -> None:
        agent = ScriptedAgent([TONE, Hold()], "Other.", speaks=True)
        async with stage(agent) as on:
            client = await on.join(await on.open(), voice=True)
            await client.ask("go")
            await agent.holding()
            await settle()
            client.report(inp.PlayoutStarted(FIRST))
            voice_of(client).play(FIRST, 0, 500)
            await client.ask("no")
            await client.listener.until_heard(ev.ResponseEnded, 2)
            assert agent.endings[0] == "cancelled"
            assert [message.text for message in agent.asked[1].messages if message.text] == ["go", "no"]

    run(main())


def test_nobody_is_given_sound_where_nobody_listens() -> None:
    async def main() -> None:
        agent = ScriptedAgent([TONE, Say("One."), TONE], speaks=True)
        async with stage(agent) as on:
            client = await on.join(await on.open())
            await client.ask("go")
            done = await client.listener.until_heard(ev.ResponseEnded)
            assert (done.status, client.listener.text) == ("completed", "One.")

    run(main())


def test_an_agent_that_does_not_speak_has_its_text_spoken_whatever_it_yields() -> None:
    async def main() -> None:
        async with stage(ScriptedAgent([TONE, Say("One.")])) as on:
            client = await on.join(await on.open(), voice=True)
            await client.ask("go")
            await client.listener.until_heard(ev.ResponseEnded)
            await settle()
            begun, spoken, _ = voice_of(client).calls
            assert isinstance(begun, Begun)
            assert not begun.own_sound
            assert spoken == Spoken(FIRST, "One.")

    run(main())


def test_a_leg_that_takes_an_answer_over_goes_on_from_what_was_heard() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One two "), TONE, Hold(), TONE, Say("three.")], speaks=True)
        async with stage(agent) as on:
            actor = await on.open()
            first, second = await on.join(actor, voice=True), await on.join(actor, voice=True)
            await first.ask("go")
            await agent.holding()
            await settle()
            first.report(inp.PlayoutStarted(FIRST))
            await second.do(inp.FloorClaimRequested())
            await settle()
            first.report(inp.PlayoutHandedOver(FIRST, 4, 300, started=True))
            await settle()
            assert sounded(voice_of(second)) == PCM[300 * MS :]
            agent.release()
            await second.listener.until_heard(ev.ResponseEnded)
            assert sounded(voice_of(second)) == PCM[300 * MS :] + PCM
            assert sounded(voice_of(first)) == PCM

    run(main())


def test_an_answer_that_fails_may_have_sound_for_less_than_its_text() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One two three"), TONE, Fail()], speaks=True)
        async with stage(agent) as on:
            client = await on.join(await on.open(), voice=True)
            await client.ask("go")
            await client.listener.until_heard(ev.ResponseEnded)
            await settle()
            assert voice_of(client).calls[-1] == Finished(FIRST, whole=False)

    run(main())


def test_what_was_cut_for_nothing_goes_on_in_its_own_voice() -> None:
    async def main() -> None:
        agent = ScriptedAgent([Say("One two three."), TONE, TONE], speaks=True)
        async with stage(agent) as on:
            client = await on.join(await on.open(), voice=True)
            await client.ask("go")
            await client.listener.until_heard(ev.ResponseEnded)
            client.report(inp.PlayoutStarted(FIRST))
            voice_of(client).play(FIRST, 4, 1200)
            client.report(inp.SpeechSuspected(1000))
            client.report(inp.SpeechConfirmed(1000, 300))
            client.report(inp.SpeechSustained())
            client.report(inp.TurnEnded(700, 2500))
            await client.listener.until_heard(ev.ItemTruncated)
            await settle()
            turn = client.listener.all(ev.InputCommitted)[0].item_id
            client.report(inp.TurnTranscribed(turn, ""))
            await client.listener.until_heard(ev.ResponseEnded, 2)
            await settle()
            again = [call for call in voice_of(client).calls if isinstance(call, Begun)][1]
            assert again.own_sound
            assert sounded(voice_of(client), SECOND) == (PCM * 2)[(1200 - STEP_BACK_MS) * MS :]
            assert voice_of(client).spoken(SECOND) == "two three."

    run(main())


def test_the_agent_is_given_what_was_said_since_its_last_answer() -> None:
    async def main() -> None:
        agent = ScriptedAgent("One.", "Two.", hears=True)
        async with stage(agent) as on:
            client = await on.join(await on.open(), voice=True)
            for at, words in ((1000, "one please"), (9000, "two please")):
                client.report(inp.SpeechSuspected(at))
                client.report(inp.SpeechConfirmed(at, 300))
                client.report(inp.TurnEnded(at, at + 2000))
                await client.listener.until_heard(ev.InputCommitted, 1 if at == 1000 else 2)
                turn = client.listener.all(ev.InputCommitted)[-1].item_id
                voice_of(client).turns[turn] = words.encode()
                client.report(inp.TurnTranscribed(turn, words))
                await client.listener.until_heard(ev.ResponseEnded, 1 if at == 1000 else 2)
                client.report(inp.PlayoutStopped(Generation(len(agent.asked)), 500))
                await settle()
            assert [list(asked.sounds.values()) for asked in agent.asked] == [[b"one please"], [b"two please"]]

    run(main())


def test_only_turns_by_voice_that_are_at_hand_have_sound() -> None:
    here, away = ScriptedVoice(), ScriptedVoice()
    away.turns = {ItemId("item_2"): b"two"}
    here.turns = {ItemId("item_1"): b"one", ItemId("item_4"): b"four"}
    messages = (
        Message("user", "one", spoken=True, item_id="item_1"),
        Message("assistant", "yes", item_id="item_x"),
        Message("user", "two", spoken=True, item_id="item_2"),
        Message("user", "three", spoken=True, item_id="item_3"),
        Message("user", "four", item_id="item_4"),
    )
    assert sounds(messages, [here, away]) == {"item_2": b"two"}


def test_an_answer_without_an_end_is_ended() -> None:
    kept, minute = Sounding(), b"\0\0" * 24_000 * 60
    kept.expect(FIRST)
    for _ in range(MAX_SOUND_MS // 60_000 + 1):
        kept.take(FIRST, minute)
    with pytest.raises(AgentError, match="10 minutes"):
        kept.take(FIRST, minute)


def test_half_a_sample_is_never_played() -> None:
    kept, voice = Sounding(), ScriptedVoice()
    kept.expect(FIRST)
    assert not kept.take(FIRST, b"\1")
    assert kept.take(FIRST, b"\1\2\3")
    kept.begin(voice, fx.BeginSpeech(LegId("leg"), FIRST, ResponseId("resp"), ItemId("item")))
    assert sounded(voice) == b"\1\2"


def test_the_sound_of_what_is_over_is_let_go() -> None:
    kept, voice = Sounding(), ScriptedVoice()
    kept.expect(FIRST)
    kept.take(FIRST, PCM)
    kept.forget_others(State())
    kept.begin(voice, fx.BeginSpeech(LegId("leg"), FIRST, ResponseId("resp"), ItemId("item")))
    assert voice.calls == [Begun(FIRST, ResponseId("resp"), ItemId("item"))]
