"""What a real browser's player makes of our packets."""

import asyncio
import shutil
from typing import Any

import pytest
from playwright.async_api import async_playwright

from media.peer import Peer, PeerOptions
from media.rtp.outbound import HANGOVER_TICKS, REFRESH_TICKS
from tests.e2e.browser import FLAGS, NAMES
from tests.media.calls import Listener, Tone

pytestmark = [pytest.mark.browser, pytest.mark.alone]

OFFER = """async () => {
  window.pc = new RTCPeerConnection();
  pc.addTransceiver('audio', {direction: 'recvonly'});
  pc.createDataChannel('oai-events');
  pc.ontrack = ({track}) => {
    window.player = new Audio();
    player.srcObject = new MediaStream([track]);
    player.play();
  };
  await pc.setLocalDescription(await pc.createOffer());
  while (pc.iceGatheringState !== 'complete') await new Promise((done) => setTimeout(done, 20));
  return pc.localDescription.sdp;
}"""

ANSWER = "(sdp) => pc.setRemoteDescription({type: 'answer', sdp})"

UNTIL_PACKETS = """async (count) => {
  for (;;) {
    const reports = [...(await pc.getStats()).values()];
    const inbound = reports.find((each) => each.type === 'inbound-rtp');
    const sent = reports.find((each) => each.type === 'remote-outbound-rtp');
    if (inbound?.packetsReceived >= count && sent) return {...inbound, sent: sent.packetsSent};
    await new Promise((done) => setTimeout(done, 50));
  }
}"""


def test_a_pause_is_played_as_a_pause_and_not_as_a_loss() -> None:
    """Were a pause confirmed by plain silence, the player would conceal what is between: half of the samples here."""
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("Chromium is not installed (scripts/system-packages chromium)")
    tone, ticks, sound, pause = Tone(440), iter(range(10_000)), 40, HANGOVER_TICKS + 2 * REFRESH_TICKS

    async def main() -> dict[str, Any]:
        async with asyncio.timeout(40), async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=path, args=[*FLAGS, "--autoplay-policy=no-user-gesture-required"]
            )
            page = await browser.new_page()
            offer = await page.evaluate(OFFER)
            peer = await Peer.accept(
                offer, Listener(), lambda: tone() if next(ticks) % (sound + pause) < sound else None, PeerOptions()
            )
            await page.evaluate(ANSWER, peer.answer_sdp)
            told: dict[str, Any] = await page.evaluate(UNTIL_PACKETS, 2 * (sound + HANGOVER_TICKS))
            await peer.close()
            await browser.close()
            return told

    told = asyncio.run(main())
    assert told["packetsLost"] == 0
    assert told["sent"] <= told["packetsReceived"]
    assert told["concealedSamples"] < 0.2 * told["totalSamplesReceived"]
    assert told["totalAudioEnergy"] > 0
