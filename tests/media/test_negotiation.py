"""Which codec two sides agree on, and what of the rest is left."""

import pytest

from media.codecs.codec import CODECS, Format, Name
from media.peer import sdp
from media.peer.negotiation import level_id, want, with_levels, with_packet_time
from media.peer.peering import PeerError
from tests.media.test_sdp import BROWSER, refusal

AUDIO = "m=audio 53083 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126"


def offering(numbers: str) -> str:
    return BROWSER.replace(AUDIO, f"m=audio 53083 UDP/TLS/RTP/SAVPF {numbers}")


def agreed(text: str, codecs: tuple[Name, ...] = CODECS, *, answer: bool = False) -> Format:
    return sdp.read(text, private=False, codecs=codecs, answer=answer).format


def test_opus_is_taken_wherever_it_is_offered() -> None:
    assert agreed(BROWSER) == Format("opus", 111)
    assert agreed(offering("0 8 111")) == Format("opus", 111)


@pytest.mark.parametrize(
    ("numbers", "codec", "payload_type"),
    [("0 8 13", "PCMU", 0), ("8 0", "PCMU", 0), ("13 8", "PCMA", 8), ("9 126 8", "PCMA", 8)],
)
def test_without_opus_g711_is_taken(numbers: str, codec: Name, payload_type: int) -> None:
    assert agreed(offering(numbers)) == Format(codec, payload_type)
    unmapped = offering(numbers).replace("a=rtpmap:0 PCMU/8000\r\n", "").replace("a=rtpmap:8 PCMA/8000\r\n", "")
    assert agreed(unmapped) == Format(codec, payload_type)
    assert f"a=rtpmap:{payload_type} {codec}/8000" in sdp.read(unmapped, private=False).sdp.splitlines()


def test_an_answer_has_chosen_already() -> None:
    assert agreed(offering("0 111"), answer=True) == Format("PCMU", 0)
    assert agreed(offering("9 111 0"), answer=True) == Format("opus", 111)


def test_what_we_do_not_want_to_speak_is_not_taken() -> None:
    assert agreed(BROWSER, ("PCMA", "opus")) == Format("PCMA", 8)
    assert agreed(offering("0 8"), ("PCMA",)) == Format("PCMA", 8)
    with pytest.raises(PeerError) as caught:
        agreed(offering("0 8"), ("opus",))
    assert caught.value.code == "unsupported_codec"


@pytest.mark.parametrize("numbers", ["9 13 126", "63", "", "96 97", "webrtc", "111x"])
def test_a_section_without_a_codec_of_ours_is_refused(numbers: str) -> None:
    assert refusal(offering(numbers)) == "unsupported_codec"


@pytest.mark.parametrize(
    "change", [("opus/48000/2", "opus/16000"), ("opus", "speex"), ("rtpmap:111 opus", "rtpmap:0 opus")]
)
def test_a_codec_with_another_clock_or_number_is_another_codec(change: tuple[str, str]) -> None:
    assert refusal(offering("111").replace(*change)) == "unsupported_codec"


def test_g711_under_a_number_of_its_own_is_not_taken() -> None:
    assert refusal(offering("100").replace("rtpmap:0 PCMU", "rtpmap:100 PCMU")) == "unsupported_codec"


def test_one_codec_is_left_and_nothing_about_others() -> None:
    left = sdp.read(BROWSER.replace("a=fmtp:111", "a=fmtp:112"), private=False).sdp.splitlines()
    assert "m=audio 53083 UDP/TLS/RTP/SAVPF 111" in left
    of_formats = [line for line in left if line.startswith(("a=rtpmap:", "a=fmtp:"))]
    assert of_formats == ["a=rtpmap:111 opus/48000/2"]
    assert any(line.startswith("m=application") for line in left)


@pytest.mark.parametrize(
    ("limit", "code"),
    [("10", "unsupported_ptime"), ("19.9", "unsupported_ptime"), ("x", "invalid_sdp"), ("", "invalid_sdp")],
)
def test_a_caller_who_cannot_take_our_packets_is_told_so(limit: str, code: str) -> None:
    assert refusal(BROWSER.replace("a=rtpmap:63", f"a=maxptime:{limit}\r\na=rtpmap:63")) == code


@pytest.mark.parametrize("line", ["a=maxptime:20", "a=maxptime:60", "a=ptime:10", "a=ptime:60", "a=ptime:x"])
def test_other_packet_times_are_a_wish_or_high_enough(line: str) -> None:
    assert agreed(BROWSER.replace("a=rtpmap:63", f"{line}\r\na=rtpmap:63")) == Format("opus", 111)


def test_our_own_description_asks_for_mono_with_fec_and_what_we_hear() -> None:
    ours = want("m=audio 9 X 96 0\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:0 PCMU/8000\r\n", 16_000)
    assert "a=rtpmap:96 opus/48000/2\r\na=fmtp:96 minptime=10;useinbandfec=1;stereo=0;" in ours
    assert "maxaveragebitrate=40000" in ours
    assert "maxplaybackrate=16000" in ours
    assert ours.count("a=fmtp") == 1


def test_our_own_description_names_the_packet_time_in_its_audio() -> None:
    sections = ["v=0", "m=audio 9 X 96", "a=mid:0", "m=application 9 Y z", "a=mid:1", ""]
    assert with_packet_time("\r\n".join(sections)).split("\r\n") == [*sections[:3], "a=ptime:20", *sections[3:]]
    assert with_packet_time("\r\n".join([*sections[:3], ""])).split("\r\n") == [*sections[:3], "a=ptime:20", ""]


LEVELS = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"


@pytest.mark.parametrize(
    ("line", "number"),
    [
        (f"a=extmap:1 {LEVELS}", 1),
        (f"a=extmap:14/sendonly {LEVELS} vad=on", 14),
        (f"a=extmap:3/recvonly {LEVELS}", None),
        (f"a=extmap:15 {LEVELS}", None),
        (f"a=extmap:0 {LEVELS}", None),
        ("a=extmap:1 urn:ietf:params:rtp-hdrext:csrc-audio-level", None),
        ("a=sendrecv", None),
    ],
)
def test_an_offer_to_tell_levels_is_found(line: str, number: int | None) -> None:
    assert level_id(["m=audio 9 X 96", "a=extmap:2 urn:x", line]) == number


def test_our_own_description_takes_the_offer_of_levels_in_its_audio() -> None:
    sections = ["v=0", "m=audio 9 X 96", "a=mid:0", "m=application 9 Y z", "a=mid:1", ""]
    taken = with_levels("\r\n".join(sections), 4).split("\r\n")
    assert taken == [*sections[:3], f"a=extmap:4 {LEVELS}", *sections[3:]]
    assert with_levels("\r\n".join(sections), None).split("\r\n") == sections
