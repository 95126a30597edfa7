"""What holds for every session, proved on random histories. ``BARGEIN_EXAMPLES`` asks for more than 100."""

import os
from dataclasses import fields
from typing import Final, get_args

from hypothesis import example, given, settings, strategies as st

from gateway.core import events as ev, inputs as inp
from gateway.core.ids import DEFAULT_TENANT, Generation, ItemId, LegId, ResponseId, TenantId
from gateway.core.values import Failure, Immediate, Settings, Waiting, Wish
from tests.core.laws import Laws
from tests.core.script import (
    ASK,
    CHAT,
    CLAIM,
    CONFIRMED,
    DEADLINE,
    ENDED,
    G1,
    G2,
    GOODBYE,
    INTERRUPT,
    JOINED,
    LEFT,
    PHONE,
    STOCK,
    SUSPECTED,
    SUSTAINED,
    TABLET,
    TURN_ENDED,
    TYPING,
    UNREACHABLE,
    VOICE_JOINED,
    Line,
    Talk,
    answering,
    cleared,
    handed_over,
    typed,
)
from tests.core.world import World

EXAMPLES: Final = int(os.environ.get("BARGEIN_EXAMPLES", "100"))

thorough = settings(max_examples=EXAMPLES, deadline=None, database=None)

# Inputs in any order. ``#n`` stands for the n-th id that the session has made known so far.

LEGS: Final = (PHONE, STOCK, TABLET, CHAT)

STORIES: Final[tuple[tuple[Line, ...], ...]] = (
    (),
    ((1.0, typed("Count.")), (1.0, ASK)),
    (*answering(1.0, finished=False, sounding=False),),
    (*answering(1.0, finished=False),),
    (*answering(1.0), (2.0, SUSPECTED)),
    (*answering(1.0), (2.0, SUSPECTED), (2.1, CONFIRMED)),
    (*answering(1.0), (2.0, SUSPECTED), (2.1, CONFIRMED), (2.4, ENDED)),
    (*answering(1.0), (2.0, SUSPECTED), (2.1, CONFIRMED), (2.4, ENDED), (2.7, TURN_ENDED)),
    (*answering(1.0), (2.0, CONFIRMED), (2.7, SUSTAINED)),
    (*answering(1.0), (2.0, CONFIRMED), (2.7, SUSTAINED), (2.8, cleared(G1, "One")), (3.2, TURN_ENDED)),
    (*answering(1.0), (2.0, INTERRUPT)),
    (*answering(1.0), (1.5, ASK), (1.6, inp.TextGenerated(G2, "Again."))),
    ((1.0, CONFIRMED), (2.0, TURN_ENDED), (2.1, CONFIRMED)),
    ((0.5, VOICE_JOINED, TABLET), *answering(1.0), (2.0, CLAIM, TABLET)),
    ((0.5, VOICE_JOINED, TABLET), *answering(1.0, finished=False), (2.0, CLAIM, TABLET), (2.0, handed_over(G1, "One"))),
    (
        (0.5, VOICE_JOINED, TABLET),
        *answering(1.0, finished=False),
        (2.0, CLAIM, TABLET),
        (2.0, inp.SteerRequested("In French.")),
    ),
    (*answering(1.0, finished=False), (2.0, cleared(G1, "One")), (2.0, LEFT)),
    ((0.1, JOINED), (0.2, JOINED, CHAT), *answering(1.0)),
    ((0.1, JOINED), (0.2, TYPING), (0.3, LEFT)),
    (*answering(1.0), (2.0, inp.EditSubmitted(ItemId("item_0002"), "Spell, please.", ItemId("edited"), answer=True))),
    (*answering(1.0), (2.0, cleared(G1)), (2.0, inp.ResponseRequested(replaces=ItemId("item_0004")))),
    (*answering(1.0, finished=False), (1.5, inp.ToolCalled(G1, "call", "clock", "{}"))),
    (*answering(1.0), (2.0, inp.ResponseRequested(aside=True)), (2.1, inp.TextGenerated(G2, "Title."))),
)
"""Ways to begin, one for each state that a session can be in."""
TEXTS: Final = ("", " ", "...", "yeah", "Stop!", "One two three.", "thrée ☃", "unknown")

COMMANDS: Final = (
    inp.ItemSubmitted,
    inp.ItemDeletionRequested,
    inp.ItemRedactionRequested,
    inp.ItemTruncationRequested,
    inp.SettingsSubmitted,
    inp.ResponseRequested,
    inp.CancelRequested,
    inp.OutputClearRequested,
    inp.PauseRequested,
    inp.ResumeRequested,
    inp.FloorClaimRequested,
    inp.FloorReleaseRequested,
    inp.QueueEditRequested,
    inp.QueueReorderRequested,
    inp.QueueWithdrawalRequested,
    inp.SteerRequested,
    inp.PresenceUpdated,
    inp.TypingStarted,
    inp.TypingStopped,
    inp.ReactionSubmitted,
    inp.EditSubmitted,
    inp.CorrectionSubmitted,
    inp.BranchRequested,
    inp.ContextResetRequested,
    inp.ReactionRequested,
    inp.ReactionWithdrawn,
)

texts = st.sampled_from(TEXTS)
generations = st.sampled_from((1, 1, 1, 2, 2, 3, 4, 99)).map(Generation)
milliseconds = st.integers(-50, 5000)
symbols = st.sampled_from((0, 0, 0, 1, 1, 2, 3, 7)).map("#{}".format)
items = symbols.map(ItemId)
datas = st.none() | st.sampled_from(({}, {"at": 1}, {"at": "x" * 2000}))
failures = st.just(Failure("broken", "It broke."))

policies = st.sampled_from((*get_args(Immediate), *get_args(Waiting)))
requests = st.builds(
    inp.ResponseRequested,
    st.none() | policies,
    st.builds(Wish, st.none() | texts),
    st.booleans(),
    words=st.none() | texts,
    item_id=st.none() | items | st.just(ItemId("mine")),
    debounce_ms=st.none() | st.just(300),
    aside=st.sampled_from((False, False, False, True)),
)

inputs: Final = st.one_of(
    st.builds(inp.SessionOpened, st.just(Settings()), st.sampled_from((DEFAULT_TENANT, TenantId("acme")))),
    st.builds(
        inp.SettingsSubmitted,
        st.builds(Settings, instructions=texts, on_active_voice=policies, on_active_text=policies),
    ),
    st.builds(inp.SettingsSubmitted, st.builds(Settings, on_edit=st.sampled_from(("interrupt", "reject")))),
    st.builds(
        inp.SessionRecovered,
        st.dictionaries(items, texts, max_size=2),
        st.dictionaries(items, texts),
        st.dictionaries(items, st.builds(Wish, st.none() | texts), max_size=2),
    ),
    st.builds(inp.VoiceJoined, st.booleans(), st.booleans(), st.booleans()),
    st.just(LEFT),
    st.just(GOODBYE),
    st.just(JOINED),
    st.just(UNREACHABLE),
    st.just(TYPING),
    st.just(inp.TypingStopped()),
    st.builds(inp.MicrophoneMuted, st.booleans()),
    st.builds(inp.PresenceUpdated, st.none() | texts, st.none() | texts, datas),
    st.builds(inp.ReactionSubmitted, texts),
    st.builds(
        inp.ItemSubmitted,
        st.sampled_from(("user", "assistant", "system")),
        texts,
        st.none() | items | st.just(ItemId("mine")),
        st.none() | st.just("") | symbols,
    ),
    st.builds(inp.ItemDeletionRequested, items),
    st.builds(inp.ItemRedactionRequested, items),
    st.builds(inp.ItemTruncationRequested, items, milliseconds),
    requests,
    requests,
    st.builds(inp.ResponseRequested, replaces=items),
    st.builds(inp.EditSubmitted, items, texts, st.none() | items | st.just(ItemId("edited")), st.booleans()),
    st.builds(inp.CorrectionSubmitted, items, texts),
    st.builds(inp.BranchRequested, items),
    st.builds(inp.ReactionRequested, items, st.sampled_from(("+1", "☃"))),
    st.builds(inp.ReactionWithdrawn, items, st.sampled_from(("+1", "☃"))),
    st.builds(inp.QueueEditRequested, items, texts),
    st.builds(inp.QueueReorderRequested, st.lists(items, max_size=3).map(tuple)),
    st.builds(inp.QueueWithdrawalRequested, items),
    st.builds(
        inp.SteerRequested,
        texts,
        st.none() | symbols.map(ResponseId),
        st.sampled_from(("now", "now", "next_step")),
        st.none() | items | st.just(ItemId("mine")),
    ),
    st.builds(inp.GenerationBegan, generations),
    st.builds(inp.SoundBegan, generations),
    st.builds(inp.ToolCalled, generations, st.just("call"), st.just("clock"), texts),
    st.builds(inp.ToolRan, generations, st.just("call"), st.just("clock"), texts, texts),
    st.builds(inp.Reasoned, generations, texts),
    st.builds(inp.ContextOutgrown, items, st.lists(st.tuples(items, st.just(0)), max_size=2).map(tuple), texts),
    st.just(inp.ContextResetRequested()),
    st.builds(inp.GenerationFinished, generations, shortfall=st.just("max_output_tokens")),
    st.builds(
        inp.CancelRequested,
        st.none() | symbols.map(ResponseId),
        st.sampled_from(("", "", "event 3", "event 5")),
        st.booleans(),
        st.booleans(),
    ),
    st.builds(inp.OutputClearRequested),
    st.builds(inp.SpeechSuspected, milliseconds),
    st.builds(inp.SpeechDismissed),
    st.builds(inp.SpeechConfirmed, milliseconds, milliseconds, st.sampled_from((-60.0, -40.0, -39.5))),
    st.builds(inp.SpeechSustained),
    st.builds(inp.SpeechEnded),
    st.builds(inp.SpeechHeard, texts),
    st.builds(inp.SpeechJudged, texts),
    st.builds(inp.TurnHeard, texts),
    st.builds(inp.TalkPressed, milliseconds, milliseconds),
    st.builds(inp.IdleTimedOut, milliseconds, milliseconds),
    st.just(inp.PauseRequested()),
    st.just(inp.ResumeRequested()),
    st.just(inp.FloorClaimRequested()),
    st.just(inp.FloorReleaseRequested()),
    st.builds(inp.PlayoutHandedOver, generations, st.integers(-3, 20), milliseconds, st.booleans()),
    st.builds(inp.TurnEnded, milliseconds, milliseconds),
    st.builds(inp.TurnDiscarded),
    st.builds(inp.TurnTranscribed, items, texts),
    st.builds(inp.TurnTranscriptionFailed, items, failures, st.booleans()),
    st.builds(inp.PlayoutStarted, generations),
    st.builds(inp.PlayoutStopped, generations, milliseconds),
    st.builds(inp.PlayoutCleared, generations, st.integers(-3, 20), milliseconds, st.booleans()),
    st.builds(inp.TextGenerated, generations, texts),
    st.builds(inp.GenerationFinished, generations),
    st.builds(inp.GenerationFailed, generations, failures),
    st.just(DEADLINE),
)

lines = st.tuples(
    st.sampled_from((0.0, 0.1, 1.0, 3.0)),
    inputs,
    st.sampled_from((PHONE, PHONE, PHONE, *LEGS)),
    st.sampled_from(("", "", "k")),
    texts,
)


def known(talk: Talk) -> list[str]:
    """Every id that a client may have seen, the youngest first."""
    found: dict[str, None] = {}
    for event in talk.events:
        for name in ("item_id", "response_id"):
            value = getattr(event, name, None)
            if value is not None:
                found[value] = None
    return list(reversed(found))


def resolved(input: inp.Input, talk: Talk) -> inp.Input:
    """The input with ids that exist in place of symbols."""
    ids = known(talk)
    values = {field.name: getattr(input, field.name) for field in fields(input)}
    for name, value in values.items():
        if isinstance(value, str) and value.startswith("#") and ids:
            values[name] = ids[int(value[1:]) % len(ids)]
        if name == "order":
            waiting = [it.item_id for it in talk.session.state.conversation.queue]
            values[name] = tuple(waiting[::-1] if value else waiting)
    return type(input)(**values)


def close(talk: Talk, laws: Laws) -> None:
    """Whoever has yet to say something says it."""
    for _ in range(100):
        conversation, moment = talk.session.state.conversation, talk.session.state.moment
        generated = {it.generation for it in conversation.responses.values()}
        generated |= {it.generation for it in conversation.asides.values()}
        if not (generated or moment.transcribing or moment.voices or moment.presence.told):
            return
        ending: list[tuple[inp.Input, LegId]] = [(LEFT, leg) for leg in LEGS]
        ending += [(inp.GenerationFinished(it), CHAT) for it in generated]
        ending.append((DEADLINE, CHAT))
        for input, leg in ending:
            talk.tell((talk.now + 20.0, input, leg))
            laws.after(talk.told[-1])
    raise AssertionError("the session does not come to rest")


@thorough
@given(st.sampled_from(STORIES), st.lists(lines, min_size=1, max_size=60))
def test_any_input_is_handled_in_any_state_and_the_laws_hold(
    story: tuple[Line, ...], script: list[tuple[float, inp.Input, LegId, str, str]]
) -> None:
    talk = Talk()
    laws = Laws(talk)
    for line in story:
        talk.tell(line)
        laws.after(talk.told[-1])
    for wait, input, leg, key, digest in script:
        keyed = key if isinstance(input, COMMANDS) else ""
        talk.command(talk.now + wait, resolved(input, talk), leg, key=keyed, digest=digest)
        laws.after(talk.told[-1])
    close(talk, laws)
    laws.at_the_end()


@thorough
@given(st.lists(st.integers(0, 1 << 16), min_size=40, max_size=160))
@example([24183, 41616, 52566, 3939, 28567, 15291, 52778, 53058, 47252, 41025])  # a cut that is told of too late
def test_in_a_world_of_slow_and_unreliable_things_nobody_is_left_hanging(numbers: list[int]) -> None:
    world = World()
    for number in numbers:
        choices = world.choices()
        choices[number % len(choices)](number // len(choices))
    world.settle()
    world.verdict()


@thorough
@given(st.lists(st.integers(0, 1 << 16), min_size=20, max_size=80))
def test_a_process_may_end_at_any_time_and_every_answer_still_ends_once(numbers: list[int]) -> None:
    world = World()
    for number in numbers:
        choices = world.choices()
        choices[number % len(choices)](number // len(choices))
    after = world.talk.reboot()
    assert after.session.state.conversation == world.talk.session.state.conversation
    after.tell((after.now, inp.SessionRecovered()))
    log = after.log
    started = {fact.response_id for fact in log if isinstance(fact, ev.ResponseStarted)}
    ended = [fact.response_id for fact in log if isinstance(fact, ev.ResponseEnded)]
    going_on = after.session.state.conversation.responses.keys()  # of what waited, the first is answered now
    assert sorted([*ended, *going_on]) == sorted(started)
    assert len(going_on) <= 1
