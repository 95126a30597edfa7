"""Who is here, on what device, doing what: joined, lost, found again, typing, speaking; told in batches."""

from typing import Final

import pytest

from gateway.core import events as ev, inputs as inp
from gateway.core.ids import DeviceId, LegId
from gateway.core.members import AgentState, Doing, MemberId, Occupancy, member_id
from gateway.core.policy import Policy
from tests.core.script import (
    CANCEL,
    CHAT,
    CONFIRMED,
    DEADLINE,
    DISMISSED,
    G1,
    GOODBYE,
    JOINED,
    LEFT,
    PHONE,
    SUSPECTED,
    SUSTAINED,
    TABLET,
    TURN_ENDED,
    TYPING,
    UNREACHABLE,
    Talk,
    answering,
    cleared,
    none,
    only,
    typed,
)

POLICY: Final = Policy()
GRACE, EVERY = POLICY.presence_grace, POLICY.presence_every
ON_PHONE, ON_TABLET, ON_CHAT = MemberId("phone device"), MemberId("tablet device"), MemberId("chat device")


def here(*legs: LegId) -> Talk:
    """These have joined, and everybody knows; the phone has a voice."""
    talk = Talk()
    for leg in legs or (PHONE, CHAT):
        talk.tell((0.1, JOINED, leg))
    talk.tell((0.5, DEADLINE))
    return talk


def doing(talk: Talk, member: MemberId = ON_PHONE) -> tuple[Doing, ...]:
    """What clients know, once they have been told."""
    talk.tell((talk.now + EVERY, DEADLINE))
    return talk.session.state.moment.presence.told[member].doing


def told(talk: Talk) -> list[ev.PresenceChanged]:
    return talk.all(ev.PresenceChanged)


# --- coming and going ---


def test_a_device_joins_with_its_name_and_kind() -> None:
    talk = Talk()
    (member,) = only(talk.tell((1.0, JOINED)).events, ev.PresenceChanged).joined
    assert (member.member_id, member.device, member.name, member.kind) == (
        "phone device",
        "phone device",
        "Anna's",
        "browser",
    )
    assert member.since == 1_700_000_001.0


def test_two_devices_of_one_user_are_two_members_and_two_legs_of_one_device_are_one() -> None:
    talk = Talk()
    for leg in (PHONE, TABLET):
        talk.tell((1.0, inp.DeviceJoined("", "phone", "anna"), leg))
    stamp = inp.Stamp(1.2, 0.0, "seed", DeviceId("phone device"), LegId("second leg"))
    outcome = talk.session.handle(inp.DeviceJoined("", "phone", "anna"), stamp)
    occupancy = only(outcome.events, ev.PresenceChanged).occupancy
    assert occupancy == Occupancy(members=2, users=1, voices=1)


def test_the_same_name_of_two_users_devices_is_no_meeting() -> None:
    assert member_id("anna", DeviceId("phone")) != member_id("ben", DeviceId("phone"))
    assert member_id("a/b", DeviceId("c")) != member_id("a", DeviceId("b/c"))
    assert member_id("", DeviceId("a/b")) != member_id("a", DeviceId("b"))
    assert member_id("%2F", DeviceId("")) != member_id("/", DeviceId(""))


def test_who_says_goodbye_has_left_at_once() -> None:
    talk = here()
    assert only(talk.tell((1.0, GOODBYE, CHAT)).events, ev.PresenceChanged).left == (ON_CHAT,)


def test_who_is_lost_has_left_after_the_grace_and_not_before() -> None:
    talk = here()
    assert none(talk.tell((1.0, LEFT, CHAT)).events, ev.PresenceChanged)
    assert talk.session.next_deadline() == 1.0 + GRACE
    assert none(talk.tell((0.9 + GRACE, DEADLINE)).events, ev.PresenceChanged)
    assert only(talk.tell((1.0 + GRACE, DEADLINE)).events, ev.PresenceChanged).left == (ON_CHAT,)


def test_a_snapshot_names_them_in_the_order_of_joining() -> None:
    talk = here(PHONE, CHAT, TABLET)
    talk.tell((1.0, TYPING, PHONE), (2.0, inp.PresenceUpdated("Kitchen"), CHAT), (3.0, GOODBYE, TABLET))
    talk.tell((4.0, JOINED, TABLET), (5.0, DEADLINE))
    company = talk.session.state.moment.presence.company()
    assert [it.member_id for it in company.members] == [ON_PHONE, ON_CHAT, ON_TABLET]


def test_a_short_drop_is_no_leaving() -> None:
    talk = here()
    before = len(told(talk))
    talk.tell((1.0, LEFT, CHAT), (0.9 + GRACE, JOINED, CHAT), (20.0, DEADLINE))
    assert len(told(talk)) == before


def test_a_device_stays_as_long_as_one_of_its_legs_does() -> None:
    talk = here()
    stamp = inp.Stamp(1.0, 0.0, "seed", DeviceId("chat device"), LegId("second leg"))
    talk.session.handle(JOINED, stamp)
    assert none(talk.tell((1.1, GOODBYE, CHAT), (20.0, DEADLINE)).events, ev.PresenceChanged)


def test_a_page_that_hangs_up_as_it_is_reloaded_has_not_left() -> None:
    talk = here()
    stamp = inp.Stamp(1.0, 0.0, "seed", DeviceId("chat device"), LegId("second leg"))
    talk.session.handle(JOINED, stamp)
    talk.tell((1.1, LEFT, CHAT))
    talk.session.handle(GOODBYE, inp.Stamp(1.2, 0.0, "seed", DeviceId("chat device"), LegId("second leg")))
    assert talk.session.next_deadline() == 1.1 + GRACE
    talk.tell((1.1 + GRACE, DEADLINE))
    assert told(talk)[-1].left == (ON_CHAT,)


def test_a_path_that_is_dead_is_a_loss_though_its_leg_is_kept() -> None:
    talk = here()
    talk.tell((1.0, UNREACHABLE), (1.0 + GRACE, DEADLINE))
    assert told(talk)[-1].left == (ON_PHONE,)
    assert PHONE in talk.session.state.moment.voices
    talk.tell((9.0, JOINED))
    assert [it.member_id for it in told(talk)[-1].joined] == [ON_PHONE]
    talk.tell((10.0, GOODBYE))
    assert told(talk)[-1].left == (ON_PHONE,)


def test_who_comes_and_goes_between_two_batches_was_never_here() -> None:
    talk = here()
    talk.tell((1.0, JOINED, TABLET))
    before = len(told(talk))
    other = LegId("other")
    talk.tell((1.01, JOINED, other), (1.02, GOODBYE, other), (1.0 + EVERY, DEADLINE))
    assert len(told(talk)) == before


def test_many_that_come_at_once_cost_a_batch_each_100_ms() -> None:
    talk = here()
    before, crowd = len(told(talk)), [LegId(f"leg {number}") for number in range(200)]
    for number, leg in enumerate(crowd):
        at = 1.0 + number * 0.005
        due = talk.session.next_deadline()
        if due is not None and due <= at:
            talk.tell((at, DEADLINE))
        talk.tell((at, JOINED, leg))
    talk.tell((3.0, DEADLINE))
    batches = told(talk)[before:]
    assert len(batches) <= 1 + 1.0 / EVERY
    assert sum(len(batch.joined) for batch in batches) == 200
    assert batches[-1].occupancy.members == 202


def test_who_is_here_is_no_part_of_the_log() -> None:
    talk = here()
    talk.tell((1.0, TYPING), (1.0, inp.PresenceUpdated(data={"at": 1})), (1.0, inp.ReactionSubmitted("!")), (9.0, LEFT))
    assert [type(fact) for fact in talk.log] == [ev.SessionOpened]


# --- what a device tells of itself ---


def test_a_device_describes_itself_anew_and_leaves_the_rest_as_it_is() -> None:
    talk = here()
    talk.tell((1.0, inp.PresenceUpdated(name="Kitchen", data={"seat": 4})), (2.0, inp.PresenceUpdated(kind="desktop")))
    (member,) = told(talk)[-1].changed
    assert (member.name, member.kind, member.data) == ("Kitchen", "desktop", {"seat": 4})
    talk.tell((3.0, inp.PresenceUpdated(data={})))
    assert told(talk)[-1].changed[0].data is None


def test_what_it_tells_survives_a_short_drop_but_no_leaving() -> None:
    talk = here()
    talk.tell((1.0, inp.PresenceUpdated("Kitchen"), CHAT), (2.0, LEFT, CHAT), (3.0, JOINED, CHAT))
    assert talk.session.state.moment.presence.members[ON_CHAT].name == "Kitchen"
    talk.tell((4.0, GOODBYE, CHAT), (5.0, JOINED, CHAT))
    assert talk.session.state.moment.presence.members[ON_CHAT].name == "Anna's"


@pytest.mark.parametrize(("length", "taken"), [(1024 - len('{"x":""}'), True), (1025 - len('{"x":""}'), False)])
@pytest.mark.parametrize("letter", ["x", "\N{SNOWMAN}"])
def test_its_data_is_bounded_in_bytes(letter: str, length: int, taken: bool) -> None:
    talk = here()
    size = len(letter.encode())
    text = letter * (length // size) + "x" * (length % size)
    outcome = talk.tell((1.0, inp.PresenceUpdated(data={"x": text})))
    assert outcome.accepted is taken
    if not taken:
        assert only(outcome.events, ev.CommandRejected).failure.code == "presence_data_too_large"


@pytest.mark.parametrize("input", [inp.PresenceUpdated("x"), TYPING, inp.TypingStopped(), inp.ReactionSubmitted("!")])
def test_who_is_not_here_tells_nothing(input: inp.Input) -> None:
    talk = Talk()
    assert only(talk.tell((1.0, input)).events, ev.CommandRejected).failure.code == "presence_not_joined"


def test_a_reaction_is_told_at_once() -> None:
    talk = here()
    outcome = talk.tell((0.6, JOINED, TABLET), (0.61, inp.ReactionSubmitted("\N{CLAPPING HANDS SIGN}"), CHAT))
    assert only(outcome.events, ev.ReactionSent).member_id == ON_CHAT


def test_a_device_claps_ten_times_a_second_at_most() -> None:
    talk = here()
    clap = inp.ReactionSubmitted("!")
    taken = [talk.tell((1.0, clap, CHAT)).accepted for _ in range(15)]
    assert taken == [True] * 10 + [False] * 5
    assert talk.last(ev.CommandRejected).failure.code == "rate_limited"
    assert talk.tell((1.0, clap, PHONE)).accepted
    assert [talk.tell((1.1, clap, CHAT)).accepted for _ in range(2)] == [True, False]


# --- typing ---


def test_typing_is_shown_until_it_stops() -> None:
    talk = here()
    talk.tell((1.0, TYPING, CHAT))
    assert doing(talk, ON_CHAT) == ("typing",)
    talk.tell((2.0, inp.TypingStopped(), CHAT))
    assert doing(talk, ON_CHAT) == ()


def test_typing_ends_by_itself_unless_it_is_told_again() -> None:
    talk = here()
    talk.tell((1.0, TYPING, CHAT), (4.0, TYPING, CHAT), (1.0 + POLICY.typing_for, DEADLINE))
    assert doing(talk, ON_CHAT) == ("typing",)
    assert talk.session.next_deadline() == 4.0 + POLICY.typing_for
    talk.tell((4.0 + POLICY.typing_for, DEADLINE))
    assert told(talk)[-1].changed[0].doing == ()
    assert talk.session.next_deadline() is None


def test_typing_ends_with_the_message() -> None:
    talk = here()
    talk.tell((1.0, TYPING, CHAT), (2.0, typed("Hello."), CHAT))
    assert doing(talk, ON_CHAT) == ()


@pytest.mark.parametrize("end", [LEFT, UNREACHABLE])
def test_typing_ends_with_the_connection(end: inp.Input) -> None:
    talk = here()
    talk.tell((1.0, TYPING, CHAT), (2.0, end, CHAT))
    assert doing(talk, ON_CHAT) == ()


# --- what its microphone and its loudspeaker do ---


def test_who_speaks_is_shown_from_the_suspicion_on() -> None:
    talk = here()
    assert doing(talk) == ("listening",)
    talk.tell(*answering(1.0))
    assert doing(talk) == ("listening", "playing")
    talk.tell((2.0, SUSPECTED))
    assert doing(talk) == ("listening", "suspected", "playing")
    talk.tell((2.5, CONFIRMED))
    assert doing(talk) == ("listening", "speaking", "playing")
    talk.tell((3.0, SUSTAINED), (3.0, cleared(G1, "One")), (3.5, DEADLINE))
    assert doing(talk) == ("listening", "speaking")
    talk.tell((4.0, TURN_ENDED))
    assert doing(talk) == ("listening",)


def test_a_cough_within_a_batch_is_not_worth_telling() -> None:
    talk = here()
    talk.tell(*answering(1.0), (1.5, DEADLINE), (2.0, JOINED, TABLET))
    before = len(told(talk))
    talk.tell((2.01, SUSPECTED), (2.05, DISMISSED), (2.0 + EVERY, DEADLINE))
    assert len(told(talk)) == before


def test_a_muted_microphone_is_shown_until_its_leg_leaves() -> None:
    talk = here()
    talk.tell((1.0, inp.MicrophoneMuted(True)))
    assert doing(talk) == ("muted",)
    talk.tell((2.0, UNREACHABLE), (3.0, JOINED))
    assert doing(talk) == ("muted",)
    talk.tell((4.0, LEFT), (5.0, JOINED), (5.0, inp.VoiceJoined(revocable=True)), (6.0, DEADLINE))
    assert doing(talk) == ("listening",)


def test_who_holds_the_answer_is_shown_until_it_goes_on() -> None:
    talk = here()
    talk.tell(*answering(1.0), (2.0, inp.PauseRequested(), CHAT), (2.5, inp.PauseRequested(), PHONE))
    assert doing(talk, ON_CHAT) == ("holding",)
    assert told(talk)[-1].agent == "waiting"
    talk.tell((3.0, inp.ResumeRequested(), PHONE))
    assert doing(talk, ON_CHAT) == ()
    assert told(talk)[-1].agent == "speaking"


def test_what_the_agent_does() -> None:
    talk = here()
    states: list[AgentState] = []

    def state() -> None:
        talk.tell((talk.now + EVERY, DEADLINE))
        states.append(told(talk)[-1].agent)

    talk.tell(*answering(1.0, finished=False, sounding=False)[:2])
    state()
    talk.tell((2.0, inp.TextGenerated(G1, "One two.")), (2.1, inp.PlayoutStarted(G1)))
    state()
    talk.tell((3.0, SUSPECTED))
    state()
    talk.tell((3.5, DISMISSED))
    state()
    talk.tell((4.0, CANCEL), (4.0, cleared(G1, "One")), (4.5, DEADLINE))
    state()
    talk.tell((5.0, CONFIRMED))
    state()
    assert states == ["thinking", "speaking", "waiting", "speaking", "idle", "waiting"]


def test_an_agent_that_answers_in_writing_writes() -> None:
    talk = Talk(voices=())
    talk.tell((0.1, JOINED), *answering(1.0, finished=False, sounding=False), (1.5, DEADLINE))
    assert told(talk)[-1].agent == "writing"


def test_nobody_is_told_anything_where_nobody_is() -> None:
    talk = Talk()
    talk.tell(*answering(1.0), (2.0, SUSPECTED), (3.0, LEFT))
    assert told(talk) == []
