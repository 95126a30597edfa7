"""Quiet packets are left undecoded, and nothing is lost by that."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, strategies as st

from media.codecs.opus import Decoder, Encoder
from media.frames import Pcm, silence
from media.rtp.doze import KEPT, TRIED_EVERY, Doze
from media.rtp.inbound import RTP_FRAME, Inbound
from tests.media.sounds import rms, sine

QUIET, LOUD = 90, 20
SETTLED = 60
"""Packets after which a line that was quiet from the beginning counts as that."""


class Line:
    """A stream with levels, and what was heard of it."""

    def __init__(self) -> None:
        self.heard: list[tuple[Pcm, int]] = []
        self.attentive = False
        decoder = Decoder(16_000)
        self.inbound = Inbound(decoder, lambda pcm, rtp_time, _: self.heard.append((pcm, rtp_time)))
        self.doze = Doze(self.inbound, decoder, lambda: self.attentive)
        self._encoder = Encoder()
        self.sequence = 65_500
        self.rtp_time = (1 << 32) - 10 * RTP_FRAME

    def say(self, frame: Pcm, level: int | None) -> None:
        payload = self._encoder.encode(frame)
        self.doze.receive(self.sequence & 0xFFFF, self.rtp_time & 0xFFFFFFFF, payload, self.sequence * 0.02, level)
        self.lose()

    def lose(self) -> None:
        self.sequence += 1
        self.rtp_time += RTP_FRAME

    def rest(self, packets: int, level: int | None = QUIET) -> None:
        for _ in range(packets):
            self.say(silence(480), level)

    @property
    def samples(self) -> int:
        return sum(len(pcm) for pcm, _ in self.heard)


TONE = sine(500, 24_000, 200).reshape(-1, 480)


def test_a_quiet_line_is_not_decoded() -> None:
    line = Line()
    line.rest(SETTLED)
    before = line.inbound.counts.dozed
    line.rest(100)
    assert line.inbound.counts.dozed - before == 100
    assert not np.concatenate([pcm for pcm, _ in line.heard[-5:]]).any()


def test_the_sound_before_a_voice_is_decoded_when_it_sets_in() -> None:
    line = Line()
    line.rest(SETTLED)
    soft = (TONE[0] // 100).astype(np.int16)
    for _ in range(KEPT):
        line.say(soft, QUIET)
    before = line.samples
    line.say(TONE[0], LOUD)
    woken = np.concatenate([pcm for pcm, _ in line.heard])[before:]
    assert (line.samples - before) // 320 > KEPT
    assert rms(woken[-(KEPT + 1) * 320 : -320]) > 20


def test_time_is_whole_across_a_doze() -> None:
    line = Line()
    line.rest(200)
    for frame in TONE:
        line.say(frame, LOUD)
    first = line.heard[0][1]
    assert line.samples == 210 * 320
    for pcm, rtp_time in line.heard:
        assert rtp_time == first
        first = (first + len(pcm) * 3) & 0xFFFFFFFF


@pytest.mark.parametrize("wake", [lambda line: setattr(line, "attentive", True), lambda line: line.doze.wake()])
def test_whoever_needs_quiet_sound_gets_all_that_is_kept(wake: Callable[[Line], None]) -> None:
    line = Line()
    line.rest(SETTLED + 50)
    wake(line)
    line.attentive = True
    line.rest(1)
    assert line.samples == (SETTLED + 51) * 320


def test_nothing_dozes_without_levels() -> None:
    line = Line()
    line.rest(200, level=None)
    assert line.inbound.counts.dozed == 0
    assert line.samples == 200 * 320


def test_a_lost_packet_ends_the_doze_and_is_made_up() -> None:
    line = Line()
    line.rest(SETTLED)
    line.lose()
    line.rest(1)
    assert line.inbound.counts.concealed == 1
    assert line.samples == (SETTLED + 2) * 320


def test_who_calls_a_voice_quiet_is_heard_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    line = Line()
    line.rest(SETTLED)
    for _ in range(TRIED_EVERY + KEPT + 2):
        line.say(TONE[0], QUIET)
    assert "levels are wrong" in caplog.text
    before = line.samples
    line.say(TONE[0], QUIET)
    assert line.samples - before == 320
    assert rms(line.heard[-1][0]) > 1_000


@given(st.lists(st.sampled_from(["quiet", "loud", "lost", "attentive", "idle", "silent"]), max_size=300))
def test_no_sample_is_lost_or_doubled(steps: list[str]) -> None:
    line = Line()
    line.rest(SETTLED)
    sent = SETTLED
    for step in steps:
        match step:
            case "lost":
                line.lose()
            case "attentive" | "idle":
                line.attentive = step == "attentive"
            case _:
                line.say(silence(480), {"quiet": QUIET, "loud": LOUD, "silent": None}[step])
                sent += 1
    line.attentive = True
    line.rest(1)
    received = line.inbound.counts.received
    assert received == sent + 1
    assert line.samples == (received + line.inbound.counts.concealed) * 320
