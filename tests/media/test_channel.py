"""The text channel: order, bounds, and what happens before it opens and after it has closed."""

import pytest

from media.peer.channel import DEFAULT_MESSAGE_BYTES, MAX_WAITING, Channel
from media.peer.peering import PeerError


class Wire:
    """A data channel that never gets rid of anything."""

    def __init__(self) -> None:
        self.readyState = "open"
        self.sent: list[str] = []

    @property
    def bufferedAmount(self) -> int:
        return sum(len(text.encode()) for text in self.sent)

    def send(self, data: str) -> None:
        self.sent.append(data)


def refusal(channel: Channel, text: str) -> str:
    with pytest.raises(PeerError) as caught:
        channel.send(text)
    return caught.value.code


def test_what_is_sent_early_waits_for_the_channel_in_order() -> None:
    channel, wire = Channel(), Wire()
    channel.send("one")
    channel.send("two")
    assert not channel.usable
    channel.open(wire)
    channel.send("three")
    assert wire.sent == ["one", "two", "three"]
    assert channel.usable


@pytest.mark.parametrize("opened", [False, True])
def test_only_so_much_may_wait(opened: bool) -> None:
    channel, wire = Channel(), Wire()
    if opened:
        channel.open(wire)
    for _ in range(MAX_WAITING // DEFAULT_MESSAGE_BYTES):
        channel.send("é" * (DEFAULT_MESSAGE_BYTES // 2))
    assert refusal(channel, "x") == "channel_full"


def test_a_message_is_no_longer_than_the_other_side_takes() -> None:
    channel = Channel()
    channel.max_message_bytes = 10
    assert refusal(channel, "ééééé!") == "message_too_large"
    channel.send("ééééé")
    channel.max_message_bytes = 0
    channel.send("x" * 100_000)


def test_a_channel_that_was_closed_says_so_until_another_opens() -> None:
    channel, wire, next_wire = Channel(), Wire(), Wire()
    channel.open(wire)
    wire.readyState = "closed"
    assert not channel.usable
    assert refusal(channel, "x") == "channel_closed"
    channel.open(next_wire)
    channel.send("y")
    assert next_wire.sent == ["y"]
