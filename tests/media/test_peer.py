"""Calls: sound both ways, messages, losses, and ends."""

import asyncio
from typing import Any

import numpy as np
import pytest
from aiortc.rtp import RtpPacket

from media.codecs.opus import SILENCE
from media.frames import Pcm
from media.peer import Peer, PeerError, PeerOptions
from media.peer.direct import MAX_SOURCES, Direct
from media.peer.ice import Address, Line
from media.rtp.inbound import RTP_FRAME
from media.rtp.outbound import HANGOVER_TICKS, REFRESH_TICKS
from tests.media.calls import LIMIT_S, Listener, Run, Tone, called, mute, nothing_runs, on_both_loops, play
from tests.media.sounds import pitch, rms
from tests.media.test_sdp import BROWSER

CALLER_HZ = 440
GATEWAY_HZ = 880


@on_both_loops
def test_a_tone_arrives_on_the_other_side_in_order_at_its_pitch_and_level(run: Run) -> None:
    async def main() -> None:
        speak, answer = Tone(CALLER_HZ, 48_000), Tone(GATEWAY_HZ)
        high = PeerOptions(send_rate_hz=48_000, receive_rate_hz=24_000)
        async with called(speak, answer, caller_options=high) as call:
            assert speak.pulled == answer.pulled == 0
            await call.at_gateway.hear(30)
            await call.at_caller.hear(30)
            for ears, rate_hz, hz in ((call.at_gateway, 16_000, CALLER_HZ), (call.at_caller, 24_000, GATEWAY_HZ)):
                assert {len(pcm) for pcm in ears.pcm} == {rate_hz // 50}
                assert min(ears.steps()) >= RTP_FRAME
                assert ears.arrivals == sorted(ears.arrivals)
                steady = np.concatenate(ears.pcm[5:30])
                assert pitch(steady, rate_hz) == pytest.approx(hz, abs=3)
                assert rms(steady) == pytest.approx(8_000 / np.sqrt(2), rel=0.1)
            assert call.gateway.stats().sent == answer.pulled
            assert call.gateway.stats().received >= 30
            assert call.gateway.stats().lost == 0

    play(main, run)


@on_both_loops
def test_messages_pass_both_ways_and_wait_for_the_channel(run: Run) -> None:
    async def main() -> None:
        async with called() as call:
            call.caller.send("early")
            call.gateway.send("früh ✓")
            await call.opened()
            call.caller.send("x" * 200_000)
            call.gateway.send("late")
            await call.at_gateway.until(lambda: len(call.at_gateway.messages) == 2)
            await call.at_caller.until(lambda: len(call.at_caller.messages) == 2)
            assert call.at_gateway.messages == ["early", "x" * 200_000]
            assert call.at_caller.messages == ["früh ✓", "late"]

    play(main, run)


@on_both_loops
@pytest.mark.parametrize("who", ["caller", "gateway"])
def test_either_side_may_close_and_both_are_told_once(run: Run, who: str) -> None:
    async def main() -> None:
        async with called() as call:
            await call.opened()
            first = call.caller if who == "caller" else call.gateway
            await asyncio.gather(first.close(), first.close())
            await call.at_caller.until(lambda: call.at_caller.ends != [])
            await call.at_gateway.until(lambda: call.at_gateway.ends != [])
            assert call.at_caller.ends == call.at_gateway.ends == ["closed"]

    play(main, run)


@on_both_loops
def test_a_call_that_never_connected_closes_as_well(run: Run) -> None:
    async def main() -> None:
        async with called() as call:
            await call.gateway.close()
            assert call.at_gateway.ends == ["closed"]

    play(main, run)


def test_an_offer_that_is_never_answered_closes() -> None:
    async def main() -> None:
        ears = Listener()
        caller = await Peer.offer(ears, mute)
        await caller.close()
        assert ears.ends == ["closed"]
        with pytest.raises(PeerError) as caught:
            await caller.connect(BROWSER)
        assert caught.value.code == "closed"
        await nothing_runs()

    play(main)


def test_nothing_is_heard_or_sent_after_the_end() -> None:
    async def main() -> None:
        async with called(Tone(CALLER_HZ), Tone(GATEWAY_HZ)) as call:
            await call.at_gateway.hear(5)
            await call.gateway.close()
            heard = len(call.at_gateway.pcm)
            await call.at_caller.until(lambda: call.at_caller.ends != [])
            assert len(call.at_gateway.pcm) == heard
            with pytest.raises(PeerError) as caught:
                call.gateway.send("late")
            assert caught.value.code == "closed"
            with pytest.raises(PeerError) as caught:
                await call.gateway.wait_connected(1)
            assert caught.value.code == "closed"

    play(main)


def test_waiting_for_the_connection_ends_with_it_or_in_time() -> None:
    async def main() -> None:
        async with called() as call:
            with pytest.raises(PeerError) as caught:
                await call.caller.wait_connected(0)
            assert caught.value.code == "connect_timeout"
            await call.caller.wait_connected(LIMIT_S)
            await call.gateway.wait_connected(LIMIT_S)

    play(main)


def test_a_caller_who_never_comes_is_a_failure() -> None:
    async def main() -> None:
        ears = Listener()
        async with asyncio.timeout(LIMIT_S):
            gateway = await Peer.accept(BROWSER, ears, mute, PeerOptions(connect_timeout_s=0.05))
            await ears.until(lambda: ears.ends != [])
            await gateway.close()
            await nothing_runs()
        assert ears.ends == ["failed"]

    play(main)


def test_a_caller_who_falls_silent_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with called(Tone(CALLER_HZ), options=PeerOptions(connect_timeout_s=60, silence_timeout_s=1.0)) as call:
            await call.at_gateway.hear(20)
            assert call.at_gateway.ends == []
            monkeypatch.setattr(Line, "admits", lambda *_: False)
            await call.at_gateway.until(lambda: call.at_gateway.ends != [])
            assert call.at_gateway.ends == ["disconnected"]

    play(main)


def test_a_caller_who_sends_nothing_but_answers_is_not_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser may send nothing for a microphone that is muted."""

    async def main() -> None:
        async with called(options=PeerOptions(silence_timeout_s=0.3)) as call:
            await call.opened()
            line = call.gateway._line
            questions, answers = 0, asyncio.Event()
            ask, admits = line.ask, Line.admits

            def count() -> None:
                nonlocal questions
                questions += 1
                ask()

            def only_answers(self: Line, datagram: bytes, source: Any, proven: Any) -> bool:
                if self is not line or datagram[0] > 3:
                    return self is not line and admits(self, datagram, source, proven)
                if questions == 6:
                    answers.set()
                return admits(self, datagram, source, proven)

            line.ask = count
            monkeypatch.setattr(Line, "admits", only_answers)
            await answers.wait()
            assert call.at_gateway.ends == []
            monkeypatch.setattr(Line, "admits", lambda self, *_: False)
            await call.at_gateway.until(lambda: call.at_gateway.ends != [])
            assert call.at_gateway.ends == ["disconnected"]

    play(main)


def test_silence_arrives_as_zeros_and_then_as_a_pause() -> None:
    async def main() -> None:
        async with called() as call:
            await call.at_caller.hear(HANGOVER_TICKS + 2)
            assert not np.concatenate(call.at_caller.pcm).any()
            steps = call.at_caller.steps()
            assert steps[:HANGOVER_TICKS] == [RTP_FRAME] * HANGOVER_TICKS
            assert steps[HANGOVER_TICKS] == REFRESH_TICKS * RTP_FRAME
            assert call.caller.stats().concealed == call.caller.stats().lost == 0

    play(main)


def test_lost_packets_are_filled_and_reported_and_time_stays_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packets 7, 20, 21 and 33 to 37 do not arrive: gaps of one, of two, and one that is too long to fill."""
    lost = {7, 20, 21, 33, 34, 35, 36, 37}
    admits = Line.admits
    seen = 0

    async def main() -> None:
        reported: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        async with called(Tone(CALLER_HZ)) as call:

            def lossy(line: Line, datagram: bytes, source: Address, candidates: Any) -> bool:
                nonlocal seen
                if line is call.gateway._line and datagram[0] >> 6 == 2 and not 192 <= datagram[1] <= 223:
                    seen += 1
                    if seen in lost:
                        return False
                return admits(line, datagram, source, candidates)

            monkeypatch.setattr(Line, "admits", lossy)
            sender = call.caller._transceiver.sender
            handle = sender._handle_rtcp_packet

            async def overheard(packet: Any) -> None:
                await handle(packet)
                for report in packet.reports:
                    if report.packets_lost == len(lost) and not reported.done():
                        reported.set_result(report.packets_lost)

            monkeypatch.setattr(sender, "_handle_rtcp_packet", overheard)
            await call.at_gateway.hear(50)
            assert min(call.at_gateway.steps()) >= RTP_FRAME
            assert max(call.at_gateway.steps()) >= 6 * RTP_FRAME
            stats = call.gateway.stats()
            assert (stats.concealed, stats.lost, stats.late, stats.undecodable) == (3, len(lost), 0, 0)
            assert min(rms(pcm) for pcm in call.at_gateway.pcm[3:32]) > 0.5 * 8_000 / np.sqrt(2)
            await reported

    play(main)


def test_another_channel_than_ours_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        closed = asyncio.Event()
        async with called() as call:
            await call.opened()
            other = call.caller._pc.createDataChannel("other")
            other.on("close", closed.set)
            await closed.wait()
            call.caller.send("still here")
            await call.at_gateway.until(lambda: call.at_gateway.messages == ["still here"])
            assert call.at_gateway.opened == 1

    play(main)


def test_a_binary_message_is_ignored() -> None:
    async def main() -> None:
        async with called() as call:
            await call.opened()
            wire: Any = call.caller._channel._wire
            wire.send(b"\xff\x00")
            call.caller.send("text")
            await call.at_gateway.until(lambda: call.at_gateway.messages != [])
            assert call.at_gateway.messages == ["text"]

    play(main)


def test_a_message_that_is_too_long_for_the_other_side_is_refused() -> None:
    async def main() -> None:
        async with called() as call:
            with pytest.raises(PeerError) as caught:
                call.caller.send("x" * 262_145)
            assert caught.value.code == "message_too_large"

    play(main)


def test_a_microphone_that_breaks_ends_the_call(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        def broken() -> Pcm:
            raise OSError("unplugged")

        async with called(answer=broken) as call:
            await call.at_gateway.until(lambda: call.at_gateway.ends != [])
            assert call.at_gateway.ends == ["failed"]
            await call.at_caller.until(lambda: call.at_caller.ends != [])

    play(main)
    assert "unplugged" in caplog.text


def direct(peer: Peer) -> Direct:
    assert isinstance(peer._media, Direct)
    return peer._media


def test_a_caller_who_changes_his_source_all_the_time_is_dropped() -> None:
    callers: list[Peer] = []

    def masked() -> None:
        for outbound in (direct(caller)._sender._outbound for caller in callers):
            assert outbound is not None
            outbound._ssrc = (outbound._ssrc + 1) & 0xFFFFFFFF

    async def main() -> None:
        async with called(masked) as call:
            callers.append(call.caller)
            await call.at_gateway.until(lambda: call.at_gateway.ends != [])
            assert call.at_gateway.ends == ["failed"]
            assert len(direct(call.gateway)._receiver._streams) == MAX_SOURCES

    play(main)


def test_the_wrap_of_rtp_time_is_no_jitter() -> None:
    async def main() -> None:
        async with called(Tone(CALLER_HZ)) as call:
            await call.at_gateway.hear(5)
            receiver = direct(call.gateway)._receiver
            inbound = receiver._inbound
            assert inbound is not None
            for number in range(6):
                rtp_time = (number - 3) * RTP_FRAME & 0xFFFFFFFF
                packet = RtpPacket(receiver._payload_type, 0, number, rtp_time, 7, SILENCE)
                receiver._read(packet.serialize(), inbound)
            assert call.gateway.stats().jitter_ms < 1_000 * LIMIT_S

    play(main)


def test_a_caller_may_change_his_source_and_its_numbers_start_anew() -> None:
    async def main() -> None:
        async with called(Tone(CALLER_HZ)) as call:
            await call.at_gateway.hear(5)
            receiver = direct(call.gateway)._receiver
            inbound = receiver._inbound
            assert inbound is not None
            old = call.caller._transceiver.sender._ssrc
            newest = receiver._streams[old].max_seq
            assert newest is not None

            def take(sequence: int, rtp_time: int, source: int) -> None:
                packet = RtpPacket(receiver._payload_type, 0, sequence & 0xFFFF, rtp_time, source, SILENCE)
                receiver._read(packet.serialize(), inbound)

            for number in range(2):
                take(newest - 100 + number, number * RTP_FRAME, old ^ 1)
            assert call.at_gateway.times[-2:] == [0, RTP_FRAME]
            take(newest + 1, 0, old)
            assert call.at_gateway.times[-1] == RTP_FRAME
            assert call.at_gateway.ends == []

    play(main)
