"""What is done to a message in its place: put right, and reacted to."""

import pytest

from gateway.core import events as ev, inputs as inp
from gateway.core.ids import DeviceId, ItemId
from gateway.core.messages import MOST_GIVERS, MOST_REACTIONS
from gateway.core.values import Version
from tests.core.script import CHAT, PHONE, WALL, Talk, only, turn, typed
from tests.core.test_branching import ANSWER, EDIT, QUESTION, answered
from tests.core.test_steering import rejection

# corrections


def test_a_corrected_message_keeps_its_place_and_counts_its_versions() -> None:
    talk = answered()
    talk.tell((2.0, inp.CorrectionSubmitted(QUESTION, "Count to five."), CHAT))
    outcome = talk.tell((3.0, inp.CorrectionSubmitted(QUESTION, "Count to six."), PHONE))
    corrected = only(outcome.facts, ev.ItemCorrected)
    assert (corrected.text, corrected.version, corrected.by, corrected.wall) == (
        "Count to six.",
        3,
        "phone device",
        WALL + 3.0,
    )
    assert (corrected.parent, corrected.spoken, corrected.device) == (None, False, "phone device")
    assert talk.path == [QUESTION, ANSWER]
    node = talk.session.state.conversation.tree.nodes[QUESTION]
    assert node.version == Version(3, DeviceId("phone device"), WALL + 3.0)


@pytest.mark.parametrize("item_id", [ANSWER, "unknown"])
def test_only_a_message_of_a_user_can_be_corrected(item_id: str) -> None:
    talk = answered()
    talk.tell((2.0, inp.CorrectionSubmitted(ItemId(item_id), "Mine.")))
    assert rejection(talk) == "item_update_invalid_item_id"


def test_a_message_without_words_cannot_be_corrected_yet() -> None:
    talk = Talk()
    talk.tell(*turn(1.0), (3.0, typed("…")))
    talk.tell((3.1, inp.CorrectionSubmitted(talk.turn(), "Hello.")))
    assert rejection(talk) == "item_in_use"
    talk.says(3.2, "Hallo.")
    assert talk.tell((3.3, inp.CorrectionSubmitted(talk.turn(), "Hello."))).accepted


def test_words_that_were_removed_do_not_come_back_as_a_correction() -> None:
    talk = answered()
    talk.tell((2.0, inp.ItemRedactionRequested(QUESTION)), (3.0, inp.CorrectionSubmitted(QUESTION, "Count.")))
    assert rejection(talk) == "item_redacted"


def test_what_a_user_said_is_put_right_by_them_or_by_who_may_put_others_right() -> None:
    talk = Talk(voices=())
    said = talk.command(1.0, typed("Count to thre."), user="ada")
    item = only(said.facts, ev.ItemAdded)
    assert item.user == "ada"
    for user in ("bob", ""):
        talk.command(2.0, inp.CorrectionSubmitted(item.item_id, "Hello."), user=user)
        assert rejection(talk) == "missing_right_administer"
    for user, others in (("ada", False), ("bob", True)):
        outcome = talk.command(3.0, inp.CorrectionSubmitted(item.item_id, "Count.", others), CHAT, user=user)
        assert only(outcome.facts, ev.ItemCorrected).by == user
    after = talk.reboot()
    after.command(4.0, inp.CorrectionSubmitted(item.item_id, "Hello."), user="bob")
    assert rejection(after) == "missing_right_administer"


def test_a_spoken_turn_and_an_edit_are_their_users_too() -> None:
    talk = Talk(voices=())
    talk.command(0.5, inp.VoiceJoined(revocable=True), user="ada")
    talk.tell(*turn(1.0))  # sound is nobody's command
    talk.says(3.0, "Count to three.")
    assert [it.user for it in talk.all(ev.ItemAdded) if it.role == "user"] == ["ada"]
    talk.command(4.0, inp.EditSubmitted(talk.turn(), "Count to four."), user="bob")
    assert [it.user for it in talk.all(ev.ItemAdded) if it.role == "user"] == ["ada", "bob"]


# reactions


def test_a_user_reacts_once_on_whatever_device() -> None:
    talk = answered()
    for leg in (CHAT, PHONE):
        talk.command(2.0, inp.ReactionRequested(ANSWER, "+1"), leg, user="ada")
    assert [(it.by, it.count) for it in talk.all(ev.ReactionAdded)] == [("ada", 1)]


def test_reactions_are_counted_by_who_gives_them() -> None:
    talk = answered()
    for at, leg in ((2.0, CHAT), (2.1, PHONE), (2.2, CHAT)):
        talk.tell((at, inp.ReactionRequested(ANSWER, "+1"), leg))
    assert [(it.by, it.count) for it in talk.all(ev.ReactionAdded)] == [("chat device", 1), ("phone device", 2)]
    outcome = talk.tell((3.0, inp.ReactionWithdrawn(ANSWER, "+1"), CHAT))
    assert only(outcome.facts, ev.ReactionRemoved).count == 1
    outcome = talk.tell((3.1, inp.ReactionWithdrawn(ANSWER, "+1"), CHAT))
    assert (outcome.accepted, outcome.facts) == (True, ())
    assert talk.session.state.conversation.tree.nodes[ANSWER].reactions == {"+1": ("phone device",)}


@pytest.mark.parametrize("kind", [inp.ReactionRequested, inp.ReactionWithdrawn])
def test_nobody_reacts_to_what_is_not_on_the_active_path(
    kind: type[inp.ReactionRequested] | type[inp.ReactionWithdrawn],
) -> None:
    talk = answered()
    talk.tell((2.0, EDIT))
    for item_id in (ANSWER, ItemId("unknown")):
        talk.tell((3.0, kind(item_id, "+1")))
        assert rejection(talk) == "reaction_invalid_item_id"


def test_a_message_has_so_many_reactions_and_no_more() -> None:
    talk = answered()
    for number in range(MOST_REACTIONS):
        assert talk.tell((2.0, inp.ReactionRequested(ANSWER, f"r{number}"))).accepted
    assert talk.tell((2.0, inp.ReactionRequested(ANSWER, "r0"), CHAT)).accepted
    talk.tell((2.0, inp.ReactionRequested(ANSWER, "one more")))
    assert rejection(talk) == "too_many_reactions"


def test_so_many_may_give_the_same_reaction_and_no_more() -> None:
    talk = answered()
    givers = tuple(str(number) for number in range(MOST_GIVERS))
    talk.session.state.conversation.tree.nodes[ANSWER].reactions = {"+1": givers}
    talk.tell((2.0, inp.ReactionRequested(ANSWER, "+1")))
    assert rejection(talk) == "too_many_reactions"
