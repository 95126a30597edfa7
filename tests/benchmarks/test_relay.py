"""The bad network: what it does to datagrams is decided by its seed, and everything goes through it."""

import asyncio
import random
from collections.abc import Callable
from itertools import pairwise

import pytest

from benchmarks.relay import PERFECT, Conditions, Relay, relay
from media.peer import Peer
from tests.media.calls import LIMIT_S, Listener, Tone, mute

OFFER = "\r\n".join(
    [
        *("v=0", "m=audio 1000 UDP/TLS/RTP/SAVPF 96", "a=candidate:1 1 udp 2130706431 127.0.0.1 1000 typ host"),
        *("a=candidate:2 1 udp 2130706431 fd00::1 1001 typ host", "a=candidate:3 1 tcp 9 127.0.0.1 9 typ host", ""),
    ]
)


def fates(conditions: Conditions, seed: int, count: int = 5000) -> list[float | None]:
    dice = random.Random(seed)
    return [conditions.fate(dice) for _ in range(count)]


def test_a_perfect_network_does_nothing() -> None:
    assert set(fates(PERFECT, 1)) == {0.0}


def test_as_many_are_lost_as_was_said() -> None:
    lost = fates(Conditions(loss=0.05), 1).count(None)
    assert 200 < lost < 300
    assert set(fates(Conditions(loss=1.0), 1)) == {None}


def test_delay_and_jitter_bound_the_time_under_way() -> None:
    times = [each for each in fates(Conditions(delay_ms=20, jitter_ms=30), 1) if each is not None]
    assert 0.020 <= min(times) < 0.021
    assert 0.049 < max(times) <= 0.050


def test_the_same_seed_brings_the_same_fates_and_another_one_others() -> None:
    bad = Conditions(10, 10, 0.1)
    assert fates(bad, 7) == fates(bad, 7)
    assert fates(bad, 7) != fates(bad, 8)


def test_a_change_of_loss_moves_nothing_else() -> None:
    """So that two runs differ by what was changed alone."""
    some = fates(Conditions(jitter_ms=10), 3)
    fewer = fates(Conditions(jitter_ms=10, loss=0.2), 3)
    assert all(b is None or a == b for a, b in zip(some, fewer, strict=True))


def test_a_description_names_the_relay_alone() -> None:
    async def main() -> None:
        async with relay() as network:
            [line] = [line for line in (await network.offer(OFFER)).splitlines() if "candidate" in line]
            _, _, _, _, host, port, *_ = line.split()
            assert host == "127.0.0.1"
            assert port != "1000"

    asyncio.run(main())


@pytest.mark.parametrize("sdp", ["", "v=0\r\n", "a=candidate:2 1 udp 1 fd00::1 1001 typ host\r\n"])
def test_a_description_without_an_address_is_refused(sdp: str) -> None:
    async def main() -> None:
        async with relay() as network:
            with pytest.raises(ValueError, match="candidate"):
                await network.offer(sdp)

    asyncio.run(main())


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(LIMIT_S * 100):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came about")


async def called(network: Relay, caller_ears: Listener, gateway_ears: Listener) -> tuple[Peer, Peer]:
    caller = await Peer.offer(caller_ears, mute)
    gateway = await Peer.accept(await network.offer(caller.offer_sdp), gateway_ears, Tone(440))
    await caller.connect(await network.answer(gateway.answer_sdp))
    await asyncio.gather(caller.wait_connected(LIMIT_S), gateway.wait_connected(LIMIT_S))
    return caller, gateway


def test_a_call_goes_through_and_ends_when_the_cable_is_pulled() -> None:
    async def main() -> None:
        caller_ears = Listener()
        async with asyncio.timeout(LIMIT_S), relay() as network:
            caller, gateway = await called(network, caller_ears, Listener())
            await caller_ears.hear(10)
            assert network.carried > 10
            network.conditions = Conditions(loss=1.0)
            heard = len(caller_ears.pcm)
            lost = network.lost
            await until(lambda: network.lost >= lost + 10)
            assert len(caller_ears.pcm) <= heard + 1
            network.conditions = PERFECT
            await caller_ears.hear(heard + 10)
            await asyncio.gather(caller.close(), gateway.close())

    asyncio.run(main())


def test_packets_arrive_later_by_the_delay() -> None:
    """Nothing is heard for as long as the delay that was added in mid-call: a gap of the size, whatever the machine."""

    async def main() -> None:
        caller_ears = Listener()
        async with asyncio.timeout(LIMIT_S), relay() as network:
            caller, gateway = await called(network, caller_ears, Listener())
            await caller_ears.hear(10)
            network.conditions = Conditions(delay_ms=300)
            await caller_ears.hear(len(caller_ears.pcm) + 20)
            assert max(b - a for a, b in pairwise(caller_ears.arrivals)) > 0.290
            await asyncio.gather(caller.close(), gateway.close())

    asyncio.run(main())
