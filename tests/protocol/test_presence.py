"""Who is here, in events that any data channel takes."""

from hypothesis import given, strategies as st

from gateway.core import events as ev
from gateway.core.ids import DeviceId
from gateway.core.members import Company, Member, MemberId, occupancy
from gateway.protocol import presence, realtime as rt

LIMIT = 64 * 1024

texts = st.sampled_from(["x", "\x00", "\N{SNOWMAN}", "\U0001f600"])


def member(number: int, letter: str, *, data: bool) -> Member:
    """As large as one may be."""
    device = DeviceId(f"{number}".ljust(128, letter))
    told = {"": letter * (1000 // len(letter.encode()) if letter != "\x00" else 1000 // 6)} if data else None
    return Member(MemberId(device), device, letter * 64, letter * 32, "", 0.0, data=told)


@given(st.integers(0, 150), texts, st.booleans())
def test_no_event_is_larger_than_a_data_channel_takes_and_nobody_is_lost(count: int, letter: str, data: bool) -> None:
    known = tuple(member(number, letter, data=data) for number in range(count))
    left = tuple(it.member_id for it in known)
    whole = presence.snapshot(Company(known, "idle"), None)
    assert isinstance(whole[0], presence.PresenceSnapshot)
    found = [it.id for it in whole[0].members]
    for event in whole[1:]:
        assert isinstance(event, presence.PresenceChanged)
        found += [it.id for it in event.joined]
    assert found == list(left)
    changes = presence.told(ev.PresenceChanged(known, known, left, "idle", occupancy(known)))
    gone = [known for event in changes if isinstance(event, presence.PresenceChanged) for known in event.left]
    assert gone == list(left)
    assert all(len(rt.encode(event).encode()) <= LIMIT for event in (*whole, *changes))


def test_an_ordinary_company_is_one_event() -> None:
    known = tuple(Member(MemberId(f"d{n}"), DeviceId(f"d{n}"), "Kitchen", "browser", "", 0.0) for n in range(60))
    assert len(presence.snapshot(Company(known, "idle"), None)) == 1
