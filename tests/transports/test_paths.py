"""A call over several peers, one after another: real ones, over UDP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.transports import paths as paths_module
from gateway.transports.paths import Paths
from media.peer import Peer, PeerError, PeerOptions
from tests.media.calls import LIMIT_S, Listener, Tone, mute, nothing_runs, play

OPTIONS = PeerOptions(silence_timeout_s=0.6)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Old peers go at once; a call whose peer is gone waits as long as a test may take."""
    monkeypatch.setattr(paths_module, "RETIRE_S", 0.05)
    monkeypatch.setattr(paths_module, "LINGER_S", float(LIMIT_S))


class Caller:
    """One peer of the client."""

    def __init__(self, peer: Peer, ears: Listener) -> None:
        self.peer = peer
        self.ears = ears

    def vanish(self) -> None:
        """Lose the network: nothing goes out any more, not even a farewell."""
        for protocol in self.peer._transceiver.receiver.transport.transport._connection._protocols:
            protocol.transport.abort()


class Stage:
    """The gateway's side of one call, and the client's peers."""

    def __init__(self) -> None:
        self.ears = Listener()
        self.tone = Tone(440)
        self.gaps: list[bool] = []
        self.paths = Paths(self.ears, self.tone, self.gaps.append)
        self.callers: list[Caller] = []

    async def offer(self) -> Caller:
        """Offer (anew), and take the answer."""
        ears = Listener()
        caller = Caller(await Peer.offer(ears, mute), ears)
        self.callers.append(caller)
        await caller.peer.connect(await self.paths.add(caller.peer.offer_sdp, OPTIONS))
        return caller

    async def call(self) -> Caller:
        """Offer, and wait until sound and events flow."""
        caller = await self.offer()
        await caller.ears.hear(5)
        await caller.ears.until(lambda: caller.ears.opened > 0)
        return caller


@asynccontextmanager
async def stage() -> AsyncIterator[Stage]:
    it = Stage()
    async with asyncio.timeout(LIMIT_S):
        try:
            yield it
        finally:
            await it.paths.close()
            for caller in it.callers:
                await caller.peer.close()
        await nothing_runs()


def test_sound_and_events_go_on_over_the_new_peer_and_the_old_one_is_closed() -> None:
    async def main() -> None:
        async with stage() as it:
            old = await it.call()
            it.paths.send("1")
            await old.ears.until(lambda: old.ears.messages == ["1"])
            new = await it.offer()
            it.paths.send("2")
            await new.ears.hear(5)
            await old.ears.until(lambda: old.ears.ends == ["closed"])
            it.paths.send("3")
            await new.ears.until(lambda: "3" in new.ears.messages)
            assert old.ears.messages + new.ears.messages == ["1", "2", "3"]
            new.peer.send("hello")
            await it.ears.until(lambda: it.ears.messages == ["hello"])
            assert (it.ears.opened, it.ears.ends, it.gaps) == (1, [], [])

    play(main)


def test_a_call_whose_path_is_dead_stands_still_and_goes_on_over_another() -> None:
    async def main() -> None:
        async with stage() as it:
            old = await it.call()
            gone = it.paths.sound
            assert gone is not None
            old.vanish()
            while gone.alive:  # noqa: ASYNC110 - a path tells the call, not us
                await asyncio.sleep(0.01)
            pulled = it.tone.pulled
            for number in range(3):
                it.paths.send(str(number))
            new = await it.offer()
            await new.ears.hear(5)
            await new.ears.until(lambda: len(new.ears.messages) == 3)
            assert new.ears.messages == ["0", "1", "2"]
            assert it.tone.pulled > pulled
            assert (it.ears.opened, it.ears.ends) == (1, [])
            assert gone.pull() is None
            assert it.gaps == [True, False]

    play(main)


def test_a_call_whose_path_is_dead_ends_when_nobody_offers_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths_module, "LINGER_S", 0.05)

    async def main() -> None:
        async with stage() as it:
            (await it.call()).vanish()
            await it.ears.until(lambda: it.ears.ends == ["disconnected"])
            late = await Peer.offer(Listener(), mute)
            with pytest.raises(PeerError) as caught:
                await it.paths.add(late.offer_sdp, OPTIONS)
            assert caught.value.code == "closed"
            await late.close()

    play(main)


def test_a_client_that_hangs_up_ends_the_call() -> None:
    async def main() -> None:
        async with stage() as it:
            await (await it.call()).peer.close()
            await it.ears.until(lambda: it.ears.ends == ["closed"])

    play(main)


def test_a_client_that_hangs_up_on_the_old_peer_first_goes_on_over_the_new_one() -> None:
    async def main() -> None:
        async with stage() as it:
            old = await it.call()
            ears = Listener()
            new = Caller(await Peer.offer(ears, mute), ears)
            it.callers.append(new)
            answer = await it.paths.add(new.peer.offer_sdp, OPTIONS)
            gone = it.paths.sound
            await old.peer.close()
            while gone is not None and gone.alive:  # noqa: ASYNC110 - a path tells the call, not us
                await asyncio.sleep(0.01)
            it.paths.send("on")
            await new.peer.connect(answer)
            await ears.until(lambda: ears.messages == ["on"])
            assert it.ears.ends == []

    play(main)


def test_an_offer_that_never_connects_changes_nothing() -> None:
    async def main() -> None:
        async with stage() as it:
            old = await it.call()
            never = await Peer.offer(Listener(), mute)
            await it.paths.add(never.offer_sdp, OPTIONS)
            await never.close()
            new = await it.call()  # the one that never came is given up for this one
            await old.ears.until(lambda: old.ears.ends == ["closed"])
            assert it.ears.ends == []
            assert it.paths.sound is not None
            assert new.ears.ends == []

    play(main)


def test_no_more_events_wait_for_a_peer_than_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths_module, "MAX_HELD", 2)

    async def main() -> None:
        paths = Paths(Listener(), mute)
        paths.send("1")
        paths.send("2")
        with pytest.raises(PeerError) as caught:
            paths.send("3")
        assert caught.value.code == "channel_full"

    play(main)
