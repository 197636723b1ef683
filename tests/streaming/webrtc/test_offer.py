from __future__ import annotations

import pytest
from aiortc.sdp import SessionDescription
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streaming.errors import NegotiationFailed
from streaming.webrtc.offer import MAX_CANDIDATES, MAX_OFFER_BYTES, Offer, read_offer

HEAD = """v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1 2
a=msid-semantic: WMS
"""
TRANSPORT = """c=IN IP4 0.0.0.0
a=ice-ufrag:4ZcD
a=ice-pwd:2/1muCWoOi3uLifh0NuRHlyz
a=ice-options:trickle
a=fingerprint:sha-256 19:E2:1C:3B:4B:9F:81:E6:B8:5C:F4:A5:A8:D8:73:04:BB:05:2F:70:9F:04:A9:0E:05:E9:26:33:E8:70:88:A2
a=setup:actpass
"""
AUDIO = """m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110
a=rtcp:9 IN IP4 0.0.0.0
a=mid:0
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=sendrecv
a=rtcp-mux
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
a=ssrc:3735928559 cname:o/i14u9pJrxRKAsu
"""
VIDEO = """m=video 9 UDP/TLS/RTP/SAVPF 103 104 96 97 98
a=rtcp:9 IN IP4 0.0.0.0
a=mid:1
a=recvonly
a=rtcp-mux
a=rtpmap:103 H264/90000
a=rtcp-fb:103 nack pli
a=fmtp:103 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
a=rtpmap:104 rtx/90000
a=fmtp:104 apt=103
a=rtpmap:96 VP8/90000
a=rtcp-fb:96 goog-remb
a=rtcp-fb:96 nack
a=rtcp-fb:96 nack pli
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:98 VP9/90000
a=fmtp:98 profile-id=0
"""
DATA = """m=application 9 UDP/DTLS/SCTP webrtc-datachannel
a=mid:2
a=sctp-port:5000
a=max-message-size:262144
"""


def offer(head: str = HEAD, audio: str = AUDIO, video: str = VIDEO, data: str = DATA) -> str:
    """A browser's offer, as Chromium writes it."""
    sections = [section + TRANSPORT for section in (audio, video, data) if section]
    return "".join([head, *sections]).replace("\n", "\r\n")


CHROMIUM = offer()


def test_what_a_browser_offers() -> None:
    read = read_offer(CHROMIUM)
    assert (read.audio, read.hears, read.plays, read.video, read.codec) == (0, True, True, 1, "VP8")
    sections = SessionDescription.parse(read.sdp).media
    assert [codec.name for codec in sections[0].rtp.codecs] == ["opus"]
    assert [(codec.name, codec.payloadType) for codec in sections[1].rtp.codecs] == [("VP8", 96), ("rtx", 97)]
    assert len(sections) == 3


def test_sound_and_data_alone() -> None:
    read = read_offer(offer(head=HEAD.replace(" 1 2", " 2"), video=""))
    assert read.video is None and read.codec == "VP8"


@pytest.mark.parametrize(("direction", "hears", "plays"), [
    ("sendrecv", True, True), ("sendonly", True, False), ("recvonly", False, True), ("inactive", False, False),
])  # fmt: skip
def test_directions_of_the_sound(direction: str, hears: bool, plays: bool) -> None:
    read = read_offer(offer(audio=AUDIO.replace("a=sendrecv", f"a={direction}")))
    assert (read.hears, read.plays) == (hears, plays)


def test_a_direction_that_is_not_given_is_both() -> None:
    read = read_offer(offer(audio=AUDIO.replace("a=sendrecv\n", "")))
    assert read.hears and read.plays


def test_a_preferred_codec_where_the_client_takes_it() -> None:
    assert read_offer(CHROMIUM, "H264").codec == "H264"
    assert read_offer(offer(video=VIDEO.replace("H264", "AV1")), "H264").codec == "VP8"


def test_h264_in_the_form_that_we_can_send() -> None:
    read = read_offer(offer(video=VIDEO.replace("VP8", "AV1")))
    assert read.codec == "H264"
    codecs = SessionDescription.parse(read.sdp).media[1].rtp.codecs
    assert [(codec.name, codec.payloadType) for codec in codecs] == [("H264", 103), ("rtx", 104)]


@pytest.mark.parametrize(("text", "reason"), [
    ("", "does not begin with 'v=0'"),
    ("hello", "does not begin with 'v=0'"),
    ("v=0\r\n", "0 media sections"),
    ("v=0" + "a" * MAX_OFFER_BYTES, "bytes; at most"),
    ("v=0" + "\n" * 2000, "over 1500 lines"),
    ("v=zero\r\n", "does not begin"),
    ("v=0zero\r\n", "malformed"),
    (offer(audio=""), "bundles a section"),
    (offer(head=HEAD.replace(" 0 1 2", " 1 2"), audio=""), "no audio section"),
    (offer(audio=AUDIO.replace("opus", "speex")), "audio has no Opus (offered: CN, G722, PCMA, PCMU"),
    (offer(video=VIDEO.replace("VP8", "VP9").replace("mode=1", "mode=0")), "video has no VP8, nor H.264"),
    (offer(data=DATA.replace("application", "text")), "unknown kind 'text'"),
    (offer(data=DATA.replace("mid:2", "mid:1")), "a=mid of its own"),
    (offer(data=DATA + TRANSPORT + DATA.replace("mid:2", "mid:3")), "more than one data section"),
    (CHROMIUM.replace("a=ice-pwd", "a=x"), "ICE credentials"),
    (CHROMIUM.replace("a=fingerprint", "a=x"), "DTLS fingerprint"),
    (CHROMIUM.replace("a=setup", "a=x"), "DTLS fingerprint"),
    (CHROMIUM.replace("a=setup:actpass", "a=setup:perhaps"), "malformed"),
    (HEAD + (AUDIO + TRANSPORT) * 9, "9 media sections"),
])  # fmt: skip
def test_what_cannot_be_answered_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(NegotiationFailed) as refusal:
        read_offer(text)
    assert reason in str(refusal.value)
    assert refusal.value.code == "invalid_sdp" and not refusal.value.retryable


def test_candidates_that_help_are_kept_and_hidden_ones_put_aside() -> None:
    lines = [
        "a=candidate:1 1 udp 2113937151 192.168.1.7 50000 typ host",
        "a=candidate:2 1 tcp 1518280447 192.168.1.7 9 typ host tcptype active",
        "a=candidate:3 1 udp 2113937151 0c1b9eb4-e3f1-4e10-9d53-c1a9b5a3d8f1.local 50001 typ host",
        "a=candidate:4 1 udp 1 host.example.com 50002 typ host",
        "a=end-of-candidates",
    ]
    read = read_offer(offer(audio=AUDIO + "\n".join(lines) + "\n"))
    (section, *_) = SessionDescription.parse(read.sdp).media
    assert [candidate.ip for candidate in section.ice_candidates] == ["192.168.1.7"]
    assert not section.ice_candidates_complete
    assert [candidate.port for candidate in read.mdns_candidates] == [50001]


def test_a_default_address_that_is_a_hidden_name() -> None:
    assert read_offer(CHROMIUM.replace("c=IN IP4 0.0.0.0", "c=IN IP4 0c1b9eb4-e3f1.local")).plays


def test_candidates_are_counted() -> None:
    lines = "".join(f"a=candidate:{n} 1 udp 1 10.0.{n // 250}.{n % 250} 50000 typ host\n" for n in range(1000))
    (section, *_) = SessionDescription.parse(read_offer(offer(audio=AUDIO + lines)).sdp).media
    assert len(section.ice_candidates) == MAX_CANDIDATES


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """The browser's offer with lines lost, repeated, exchanged, cut or overwritten."""
    lines = CHROMIUM.split("\r\n")
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(lines) - 1))
        kind = draw(st.sampled_from(["drop", "repeat", "swap", "cut", "write"]))
        if kind == "drop" and len(lines) > 1:
            del lines[at]
        elif kind == "repeat":
            lines.insert(at, lines[at])
        elif kind == "swap":
            other = draw(st.integers(0, len(lines) - 1))
            lines[at], lines[other] = lines[other], lines[at]
        elif kind == "cut":
            lines[at] = lines[at][: draw(st.integers(0, len(lines[at])))]
        else:
            lines[at] = lines[at][:2] + draw(st.text(max_size=30))
    return "\r\n".join(lines)


@given(st.one_of(damaged(), st.text().map(lambda text: "v=0" + text)))
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_whatever_comes_it_is_read_or_refused(text: str) -> None:
    try:
        read = read_offer(text)
    except NegotiationFailed as refusal:
        assert str(refusal)
    else:
        assert isinstance(read, Offer)
        SessionDescription.parse(read.sdp)
