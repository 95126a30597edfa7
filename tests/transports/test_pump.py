"""How far ahead of its playing sound is sent, in virtual ticks."""

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from gateway.protocol import realtime as rt
from gateway.transports.pump import SocketPump
from media.frames import VOICE_FRAME, Pcm
from media.speaking.device import Device
from media.speaking.playout import Holder, Playout, PlayoutOptions


@dataclass(slots=True)
class Source:
    """A playout as a pump sees it."""

    playout: Playout = field(default_factory=lambda: Playout(PlayoutOptions(client_buffer_ms=60, max_queued_ms=10**7)))

    @property
    def held(self) -> bool:
        return bool(self.playout.paused)

    @property
    def device(self) -> Device:
        return self.playout.device

    def tick(self, *, playing: bool = True) -> None:
        if playing:
            self.playout.tick()

    def send(self) -> Pcm | None:
        return self.playout.send()


@dataclass(slots=True)
class Line:
    """A pump and its client."""

    lead_ms: int
    client_pauses: bool = False
    source: Source = field(default_factory=Source)
    got: list[rt.AudioDelta] = field(default_factory=list)
    pump: SocketPump = field(init=False)

    def __post_init__(self) -> None:
        self.pump = SocketPump(self.got.append, lead_ms=self.lead_ms, client_pauses=self.client_pauses)
        self.source.playout.begin(1, "item", "resp")

    def add(self, frames: int) -> None:
        self.source.playout.enqueue(1, np.full(frames * VOICE_FRAME, 5_000, np.int16))

    def tick(self, times: int = 1) -> int:
        """How many frames came."""
        before = len(self.got)
        for _ in range(times):
            self.pump.tick(self.source)
        return len(self.got) - before


@pytest.mark.parametrize("lead_ms", [1000, 200])
def test_sound_is_sent_ahead_at_once_and_then_as_it_is_played(lead_ms: int) -> None:
    line = Line(lead_ms)
    line.add(500)
    assert line.tick() == lead_ms // 20
    assert [line.tick() for _ in range(100)] == [1] * 100


def test_after_a_silence_the_buffer_is_filled_anew() -> None:
    line = Line(200)
    line.add(4)
    assert line.tick(30) == 4 + 1  # the fade into the gap
    line.add(500)
    assert line.tick() == 10


def test_a_client_that_holds_what_it_has_is_sent_nothing() -> None:
    line = Line(200, client_pauses=True)
    line.add(100)
    line.tick(10)
    line.source.playout.pause(Holder.REFLEX, 0.0)
    assert line.tick(50) == 0
    line.source.playout.resume(Holder.REFLEX, 1.0)
    assert [line.tick() for _ in range(5)] == [1] * 5


@pytest.mark.parametrize(("drift", "behind_ms"), [(1 - 1e-3, 45), (1 + 1e-3, 225)])
def test_a_sound_card_of_another_pace_neither_starves_nor_falls_behind(drift: float, behind_ms: int) -> None:
    """Three minutes at 1000 ppm. A slow card is sent less. A fast one is not believed: it has enough to go on with."""
    line, played = Line(1000), 0.0
    line.add(100)
    for tick in range(9_000):
        if tick % 100 == 0:
            line.add(120)
        line.pump.tick(line.source)
        sent = len(line.got) * 20.0
        played = min(sent, played + 20 * drift)
        if tick % 50 == 49:
            line.source.playout.device.played("item", int(played))
        at = line.source.playout.playhead(1)
        assert at is not None
        assert 780 <= sent - played <= 1_080
        assert tick < 50 or played - behind_ms <= at.heard_ms <= played + 25


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 80)), max_size=20), st.sampled_from([200, 1000]))
def test_never_more_than_the_lead_lies_ahead(story: list[tuple[int, int]], lead_ms: int) -> None:
    line, buffered = Line(lead_ms), 0
    for frames, ticks in story:
        line.add(frames)
        for _ in range(ticks):
            buffered = max(0, buffered - 20) + 20 * line.tick()
            assert buffered <= lead_ms
