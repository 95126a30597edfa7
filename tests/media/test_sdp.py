"""What a session description may say, before aiortc reads it."""

from dataclasses import replace
from ipaddress import ip_address

import pytest
from hypothesis import given, strategies as st

from media.peer import sdp
from media.peer.channel import DEFAULT_MESSAGE_BYTES
from media.peer.peering import PeerError

BROWSER = """\
v=0
o=- 8404056801631232465 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
a=extmap-allow-mixed
a=msid-semantic: WMS fe18a7c8
m=audio 53083 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 192.0.2.2
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:58757442 1 udp 2122194687 192.0.2.2 53083 typ host generation 0 network-id 1
a=candidate:83033586 1 udp 2122265343 3f5a6f0c-98a1-4f0e-a2a6-1d2bd47d4113.local 57626 typ host generation 0
a=candidate:2102359002 1 tcp 1518214911 192.0.2.2 9 typ host tcptype active generation 0 network-id 1
a=candidate:1853887674 1 udp 1685987071 8.8.4.4 53083 typ srflx raddr 192.0.2.2 rport 53083 generation 0
a=end-of-candidates
a=ice-ufrag:K13x
a=ice-pwd:2S/WL1sr+wc1QTuNeZHEIINA
a=ice-options:trickle
a=fingerprint:sha-256 2C:3B:B7:DC:5A:69:3D:56:E1:56:DA:D6:86:C9:9A:19:56:8D:F7:54:C1:F3:A4:0D:6C:D3:D3:65:71:23:70:54
a=setup:actpass
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=sendrecv
a=msid:fe18a7c8 00785690
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=ssrc:3482446666 cname:tST1HOMFi0BWvu2E
m=application 35979 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 192.0.2.2
a=candidate:58757442 1 udp 2122194687 192.0.2.2 35979 typ host generation 0 network-id 1
a=ice-ufrag:K13x
a=ice-pwd:2S/WL1sr+wc1QTuNeZHEIINA
a=fingerprint:sha-256 2C:3B:B7:DC:5A:69:3D:56:E1:56:DA:D6:86:C9:9A:19:56:8D:F7:54:C1:F3:A4:0D:6C:D3:D3:65:71:23:70:54
a=setup:actpass
a=mid:1
a=sctp-port:5000
a=max-message-size:262144
""".replace("\n", "\r\n")
"""What Chromium 156 offers, with a candidate of each kind."""

CANDIDATE = "a=candidate:1 1 udp 2122194687 {} {} typ host\r\n"


def refusal(text: str) -> str:
    with pytest.raises(PeerError) as caught:
        sdp.read(text, private=False)
    return caught.value.code


def candidates(text: str, *, private: bool) -> list[str]:
    kept = [line for line in sdp.read(text, private=private).sdp.splitlines() if line.startswith("a=candidate:")]
    return [" ".join(line.split()[4:6]) for line in kept]


def with_candidate(host: str, port: int = 4_000) -> str:
    return BROWSER.replace("a=mid:1\r\n", "a=mid:1\r\n" + CANDIDATE.format(host, port))


def test_a_browsers_offer_is_read() -> None:
    remote = sdp.read(BROWSER, private=False)
    assert remote.max_message_bytes == 262_144
    assert remote.sdp.startswith("v=0\r\n")
    assert remote.sdp.count("m=") == 2


def test_line_ends_may_be_bare() -> None:
    assert sdp.read(BROWSER.replace("\r\n", "\n"), private=False) == sdp.read(BROWSER, private=False)


def test_only_public_addresses_are_probed_unless_asked() -> None:
    assert candidates(BROWSER, private=False) == ["8.8.4.4 53083"]
    assert candidates(BROWSER, private=True) == ["192.0.2.2 53083", "8.8.4.4 53083", "192.0.2.2 35979"]


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "::1",
        "fe80::1",
        "fd00::1",
        "::ffff:10.0.0.1",
    ],
)
def test_an_offer_cannot_make_us_probe_our_own_network(host: str) -> None:
    assert candidates(with_candidate(host), private=False) == ["8.8.4.4 53083"]
    assert f"{ip_address(host)} 4000" in candidates(with_candidate(host), private=True)


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("224.0.0.251", 5_353),
        ("ff02::fb", 5_353),
        ("0.0.0.0", 4_000),
        ("::", 4_000),
        ("gateway.example", 4_000),
        ("8.8.8.8.local", 4_000),
        ("fe80::1%eth0", 4_000),
        ("8.8.8.8", 0),
        ("8.8.8.8", 65_536),
        ("8.8.8.8", -1),
        ("999.8.8.8", 4_000),
    ],
)
def test_an_address_that_is_none_is_never_probed(host: str, port: int) -> None:
    for private in (False, True):
        assert candidates(with_candidate(host, port), private=private) == candidates(BROWSER, private=private)


def test_services_on_privileged_ports_are_not_probed() -> None:
    assert "8.8.8.8 53" not in candidates(with_candidate("8.8.8.8", 53), private=False)
    assert "8.8.8.8 53" in candidates(with_candidate("8.8.8.8", 53), private=True)


def test_an_address_is_written_in_the_one_form_that_packets_have() -> None:
    assert "2001:4860:4860::8888 4000" in candidates(with_candidate("2001:4860:4860:0:0:0:0:8888"), private=False)


def test_the_stack_is_never_told_that_no_more_candidates_come() -> None:
    assert "end-of-candidates" in BROWSER
    assert "end-of-candidates" not in sdp.read(BROWSER, private=False).sdp


def test_header_extensions_are_not_negotiated() -> None:
    read = sdp.read(BROWSER, private=False)
    assert "extmap" not in read.sdp
    assert read.level_id == 1


def test_what_is_not_said_is_sendrecv() -> None:
    silent = BROWSER.replace("a=sendrecv\r\n", "")
    assert "a=sendrecv" in sdp.read(silent, private=False).sdp
    received = BROWSER.replace("a=sendrecv", "a=recvonly")
    assert "a=sendrecv" not in sdp.read(received, private=False).sdp


def test_a_data_channel_takes_64_kib_if_it_says_nothing() -> None:
    text = BROWSER.replace("a=max-message-size:262144\r\n", "")
    assert sdp.read(text, private=False).max_message_bytes == DEFAULT_MESSAGE_BYTES


def test_the_old_form_of_a_data_channel_is_read() -> None:
    text = BROWSER.replace("UDP/DTLS/SCTP webrtc-datachannel", "DTLS/SCTP 5000").replace("a=sctp-port:5000\r\n", "")
    assert sdp.read(text, private=False).max_message_bytes == 262_144


def test_sound_alone_is_enough() -> None:
    sound = BROWSER[: BROWSER.index("m=application")].replace("BUNDLE 0 1", "BUNDLE 0")
    assert sdp.read(sound, private=False).max_message_bytes == DEFAULT_MESSAGE_BYTES
    nameless = sound.replace("a=group:BUNDLE 0\r\n", "").replace("a=mid:0\r\n", "")
    assert "m=audio" in sdp.read(nameless, private=False).sdp


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v=0",
        "{}",
        "\x00",
        BROWSER[5:],
        BROWSER[BROWSER.index("m=application") :],
        BROWSER.replace("m=audio", "m=video"),
        BROWSER.replace("m=audio", "m=text"),
        BROWSER.replace("m=audio", "xm=audio"),
        BROWSER.replace("BUNDLE 0 1", "BUNDLE 7 1"),
        BROWSER.replace("BUNDLE 0 1", "BUNDLE"),
        BROWSER.replace("a=mid:1", "a=mid:0"),
        BROWSER.replace("a=mid:1", "a=mid:"),
        BROWSER.replace("a=mid:1", "a=mid: 1"),
        BROWSER.replace("a=mid:1\r\n", ""),
        BROWSER.replace("a=mid:1\r\n", "a=mid:1\r\na=mid:2\r\n"),
        BROWSER.replace("a=ice-ufrag:K13x\r\n", ""),
        BROWSER.replace("a=ice-pwd", "a=ice-lock"),
        BROWSER.replace("fingerprint:sha-256", "fingerprint:sha-1"),
        BROWSER.replace("a=setup:actpass\r\n", "", 1),
        BROWSER.replace("sha-256", "sha-1"),
        BROWSER.replace("a=sctp-port:5000\r\n", ""),
        BROWSER.replace("sctp-port:5000", "sctp-port:0"),
        BROWSER.replace("sctp-port:5000", "sctp-port:70000"),
        BROWSER.replace("max-message-size:262144", "max-message-size:-1"),
        BROWSER + BROWSER[BROWSER.index("m=application") :].replace("a=mid:1", "a=mid:2"),
    ],
)
def test_a_malformed_description_is_refused(text: str) -> None:
    assert refusal(text) == "invalid_sdp"


@pytest.mark.parametrize(
    "text",
    [
        BROWSER + "a=x\r\n" * 2_000,
        BROWSER + "a=" + "x" * 65_536 + "\r\n",
        BROWSER + "a=" + "é" * 32_768 + "\r\n",
        BROWSER + "a=x\x0b" * 2_000,
        BROWSER + "a=x\u2028" * 2_000,
        BROWSER + "a=x\r\n" * 65,
        BROWSER.replace("m=application", "a=x\r\n" * 65 + "m=application"),
        BROWSER + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" * 2,
    ],
)
def test_a_description_that_would_cost_too_much_is_refused(text: str) -> None:
    assert refusal(text) == "invalid_sdp"


def test_no_more_candidates_are_checked_than_twenty() -> None:
    """Machines with many networks name more, and are no attackers: the first ones are enough."""
    many = BROWSER + "".join(CANDIDATE.format("8.8.8.8", 4_000 + number) for number in range(60))
    kept = candidates(many, private=False)
    assert kept == ["8.8.4.4 53083", *(f"8.8.8.8 {4_000 + number}" for number in range(19))]


def test_what_browsers_list_for_video_does_not_count() -> None:
    transport = "".join(
        f"{line}\r\n" for line in BROWSER.splitlines() if line.startswith(("a=ice-", "a=finger", "a=setup"))
    )
    lists = "a=extmap:1 urn:x\r\n" * 30 + "a=rtcp-fb:96 nack\r\n" * 80 + "a=rtpmap:96 VP8/90000\r\n" * 70
    sdp.read(f"{BROWSER}m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:2\r\n{transport}{lists}", private=False)


OURS = "a=candidate:1 1 udp 2130706431 10.0.0.7 40001 typ host\r\n"


def test_a_public_address_is_announced_beside_the_one_it_stands_for() -> None:
    public = "a=candidate:1n 1 udp 1694498815 8.8.4.4 40001 typ srflx raddr 10.0.0.7 rport 40001\r\n"
    assert sdp.announce(OURS, "8.8.4.4") == OURS + public
    assert sdp.announce(OURS, "") == OURS


@pytest.mark.parametrize("host", ["127.0.0.1", "fd00::7", "8.8.4.4"])
def test_a_public_address_stands_for_none_of_these(host: str) -> None:
    own = OURS.replace("10.0.0.7", host)
    assert sdp.announce(own, "8.8.4.4") == own


def test_our_limit_of_messages_is_said() -> None:
    assert "a=max-message-size:65536\r\n" in sdp.limit_messages(BROWSER, 65_536)


def outcome(text: str) -> sdp.Remote | str:
    try:
        return sdp.read(text, private=False)
    except PeerError as error:
        return error.code


@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.sampled_from(["drop", "twice", "swap"]) | st.text(max_size=40)), max_size=8
    )
)
def test_whatever_is_said_it_is_read_or_refused(changes: list[tuple[int, str]]) -> None:
    lines = BROWSER.splitlines()
    for at, change in changes:
        index = at % len(lines)
        match change:
            case "drop":
                lines = lines[:index] + lines[index + 1 :] or [""]
            case "twice":
                lines.insert(index, lines[index])
            case "swap":
                lines[index], lines[0] = lines[0], lines[index]
            case text:
                lines[index] = lines[index].partition(":")[0] + ":" + text
    said = outcome("\r\n".join(lines))
    if isinstance(said, sdp.Remote):
        assert outcome(said.sdp) == replace(said, level_id=None)
    else:
        assert said in {"invalid_sdp", "unsupported_codec", "unsupported_ptime"}
