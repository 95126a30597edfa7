"""Offers and answers as peers make and take them."""

import asyncio
import re

import pytest

from media.peer import Peer, PeerError, PeerOptions
from tests.media.calls import LIMIT_S, Listener, Run, called, mute, nothing_runs, on_both_loops, play
from tests.media.test_sdp import BROWSER


@on_both_loops
def test_an_offer_without_any_usable_address_connects_by_the_callers_own_checks(run: Run) -> None:
    """A browser without the right to its microphone names only ``.local`` addresses, which nobody resolves here."""

    async def main() -> None:
        ears, at_gateway = Listener(), Listener()
        async with asyncio.timeout(LIMIT_S):
            caller = await Peer.offer(ears, mute)
            hidden = [
                " ".join([*line.split()[:4], "3f5a6f0c-98a1-4f0e-a2a6-1d2bd47d4113.local", *line.split()[5:]])
                if line.startswith("a=candidate:")
                else line
                for line in caller.offer_sdp.splitlines()
            ]
            gateway = await Peer.accept("\r\n".join(hidden) + "\r\n", at_gateway, mute)
            await caller.connect(gateway.answer_sdp)
            await gateway.wait_connected(LIMIT_S)
            await caller.close()
            await gateway.close()
            await nothing_runs()

    play(main, run)


def test_private_addresses_may_be_spoken_to_first_if_that_is_wanted() -> None:
    async def main() -> None:
        async with called(options=PeerOptions(private_candidates=True)) as call:
            await call.opened()

    play(main)


def test_the_answer_to_a_browser_has_what_browsers_want() -> None:
    async def main() -> None:
        ears = Listener()
        gateway = await Peer.accept(BROWSER, ears, mute)
        answer = gateway.answer_sdp.splitlines()
        await gateway.close()
        await nothing_runs()
        assert "a=group:BUNDLE 0 1" in answer
        assert [line.split()[0] for line in answer if line.startswith("m=")] == ["m=audio", "m=application"]
        assert next(line for line in answer if line.startswith("m=audio")).split()[3:] == ["111"]
        assert "a=sendrecv" in answer
        assert any(line.startswith("a=msid:") and len(line.split()) == 2 for line in answer)
        assert any(
            line.startswith("a=fmtp:111 ") and "useinbandfec=1" in line and "stereo=0" in line for line in answer
        )
        assert any(line.startswith("a=candidate:") for line in answer)
        assert "a=setup:active" in answer

    play(main)


def test_video_is_answered_but_never_received() -> None:
    async def main() -> None:
        transport = [
            line
            for line in BROWSER[BROWSER.index("m=application") :].splitlines()
            if line.startswith(("a=ice", "a=fingerprint", "a=setup"))
        ]
        video = ["m=video 9 UDP/TLS/RTP/SAVPF 96", "a=mid:2", "a=sendrecv", "a=rtcp-mux", "a=rtpmap:96 VP8/90000"]
        offer = BROWSER.replace("BUNDLE 0 1", "BUNDLE 0 1 2") + "\r\n".join([*video, *transport]) + "\r\n"
        gateway = await Peer.accept(offer, Listener(), mute)
        _, _, section = gateway.answer_sdp.partition("m=video")
        await gateway.close()
        await nothing_runs()
        assert "a=inactive" in section

    play(main)


@pytest.mark.parametrize(
    ("offer", "code"),
    [
        ("", "invalid_sdp"),
        (BROWSER.replace("a=rtcp-mux\r\n", ""), "invalid_sdp"),
        (BROWSER.replace("a=setup:actpass", "a=setup:holdconn"), "invalid_sdp"),
        (BROWSER.replace("a=ice-ufrag:K13x", "a=ice-ufrag:"), "invalid_sdp"),
        (BROWSER.replace("minptime=10", "minptime=x"), "invalid_sdp"),
        (BROWSER.replace("SAVPF 111 63 9 0 8", "SAVPF x"), "unsupported_codec"),
        (BROWSER.replace("SAVPF 111 63 9 0 8", "SAVPF 63 9"), "unsupported_codec"),
        (BROWSER.replace("m=application", "m=video").replace("a=mid:1", "a=mid:1\r\na=rtcp-mux"), "unsupported_codec"),
    ],
)
def test_an_offer_that_cannot_be_answered_is_refused_and_leaves_nothing(offer: str, code: str) -> None:
    offer = offer.replace("UDP/DTLS/SCTP webrtc-datachannel", "UDP/TLS/RTP/SAVPF 96") if code[0] == "u" else offer

    async def main() -> None:
        ears = Listener()
        with pytest.raises(PeerError) as caught:
            await Peer.accept(offer, ears, mute)
        assert caught.value.code == code
        assert ears.ends == []
        await nothing_runs()

    play(main)


def test_a_bad_answer_is_refused() -> None:
    async def main() -> None:
        caller = await Peer.offer(Listener(), mute)
        for answer, code in (
            (BROWSER, "invalid_sdp"),
            ("", "invalid_sdp"),
            (BROWSER.replace("SAVPF 111 63 9 0 8", "SAVPF 63 9"), "unsupported_codec"),
        ):
            with pytest.raises(PeerError) as caught:
                await caller.connect(answer)
            assert caught.value.code == code
        await caller.close()
        await nothing_runs()

    play(main)


def test_a_caller_with_another_certificate_than_its_offer_says_is_not_let_in() -> None:
    async def main() -> None:
        ears, at_gateway = Listener(), Listener()
        async with asyncio.timeout(LIMIT_S):
            caller = await Peer.offer(ears, mute)
            said = re.search(r"a=fingerprint:sha-256 (..)", caller.offer_sdp)
            assert said is not None
            other = "00" if said[1] != "00" else "01"
            forged = re.sub(r"(a=fingerprint:sha-256 )..", rf"\g<1>{other}", caller.offer_sdp)
            gateway = await Peer.accept(forged, at_gateway, mute)
            await caller.connect(gateway.answer_sdp)
            await at_gateway.until(lambda: at_gateway.ends == ["failed"])
            await caller.close()
            await nothing_runs()

    play(main)
