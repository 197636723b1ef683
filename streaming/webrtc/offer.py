"""Reading an SDP offer: what the client wants, and the form of it that aiortc can answer. Sans-I/O."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from aioice.mdns import is_mdns_hostname
from aiortc.codecs import CODECS as LOCAL_CODECS
from aiortc.codecs import is_rtx
from aiortc.rtcicetransport import RTCIceCandidate
from aiortc.rtcpeerconnection import is_codec_compatible
from aiortc.sdp import MediaDescription, SessionDescription

from streaming.errors import NegotiationFailed

MAX_OFFER_BYTES = 100_000
"""Chromium's offer of sound, picture and data is 7 kB; with every candidate of a busy laptop 20 kB."""
MAX_LINES = 1500
"""Seven times Chromium's. The parser looks at every codec for every line of feedback."""
MAX_MEDIA = 8
MAX_CANDIDATES = 64
CODECS = ("VP8", "H264")
"""In order of preference unless told otherwise: VP8 costs less CPU and every browser has it."""


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer that can be answered.

    Attributes:
        sdp: for aiortc: our codecs only, without what could stall or end the answer early.
        audio: index of the sound's m-line.
        hears: the client sends sound.
        plays: the client receives sound.
        video: index of the m-line on which to send the picture; None where the client wants none.
        codec: of the picture, "VP8" or "H264"; the preferred one where there is none.
        mdns_candidates: candidates whose address is hidden behind a ".local" name (Chromium without microphone
            permission); resolving one may take a second or fail.
    """

    sdp: str
    audio: int
    hears: bool
    plays: bool
    video: int | None
    codec: str
    mdns_candidates: tuple[RTCIceCandidate, ...]


def read_offer(sdp: str, codec: str = CODECS[0]) -> Offer:
    """Check an offer.

    Args:
        codec: of ``CODECS``; the picture's where the client takes it, else the other one is.

    Raises:
        NegotiationFailed: it cannot be answered; the message says why.
    """
    if len(sdp) > MAX_OFFER_BYTES:
        raise NegotiationFailed(f"The SDP offer has {len(sdp)} bytes; at most {MAX_OFFER_BYTES} are read.")
    if sdp.count("\n") > MAX_LINES:
        raise NegotiationFailed(f"The SDP offer has over {MAX_LINES} lines.")
    if not sdp.startswith("v=0"):
        raise NegotiationFailed("This is no SDP offer: it does not begin with 'v=0'.")
    try:
        return _read(SessionDescription.parse(sdp), codec)
    except NegotiationFailed:
        raise
    except Exception as error:  # aiortc's parser has no error of its own: it asserts, indexes and converts
        raise NegotiationFailed(f"The SDP offer is malformed ({type(error).__name__}: {error}).") from error


def _read(description: SessionDescription, preferred: str) -> Offer:
    media = description.media
    if not 1 <= len(media) <= MAX_MEDIA:
        raise NegotiationFailed(f"The SDP offer has {len(media)} media sections; 1 to {MAX_MEDIA} are read.")
    _check_transport(description)
    audio = _first(media, "audio")
    if audio is None:
        raise NegotiationFailed("The SDP offer has no audio section; a conversation needs one.")
    video: int | None = None
    codec = preferred
    wanted = sorted(CODECS, key=lambda name: name != preferred)
    description.host = None
    for index, section in enumerate(media):
        section.host = section.rtcp_host = None  # candidates tell the address; this one may be a hidden name
        section.direction = section.direction or "sendrecv"  # what its absence means (RFC 8866 section 6.7)
        if section.kind == "audio":
            if not _restrict(section, "OPUS"):
                raise _refuse(section, "Opus")
        elif section.kind == "video":
            chosen = next((name for name in wanted if _restrict(section, name)), None)
            if chosen is None:
                raise _refuse(section, "VP8, nor H.264 baseline in packetization mode 1")
            if video is None and _receives(section):
                video, codec = index, chosen
        elif section.kind != "application":
            raise NegotiationFailed(f"The SDP offer has a section of unknown kind {section.kind[:20]!r}.")
    if sum(section.kind == "application" for section in media) > 1:
        raise NegotiationFailed("The SDP offer has more than one data section.")
    hidden = _take_unusable_candidates(media)
    return Offer(
        sdp=str(description),
        audio=audio,
        hears=_sends(media[audio]),
        plays=_receives(media[audio]),
        video=video,
        codec=codec,
        mdns_candidates=hidden,
    )


def _check_transport(description: SessionDescription) -> None:
    mids = [section.rtp.muxId for section in description.media]
    if len(set(mids)) != len(mids) or not all(mids):
        raise NegotiationFailed("Each media section of the SDP offer needs an a=mid of its own.")
    for group in description.group:
        if group.semantic == "BUNDLE" and not set(group.items) <= set(mids):
            raise NegotiationFailed("The SDP offer bundles a section that it does not have.")
    for section in description.media:
        if not section.ice or not section.ice.usernameFragment or not section.ice.password:
            raise NegotiationFailed("The SDP offer lacks ICE credentials (a=ice-ufrag, a=ice-pwd).")
        if not section.dtls or not section.dtls.fingerprints:
            raise NegotiationFailed("The SDP offer lacks a DTLS fingerprint or role (a=fingerprint, a=setup).")


def _restrict(section: MediaDescription, name: str) -> bool:
    """Leave only the first codec called ``name`` that we can use, and its retransmission; False if there is none."""
    ours = LOCAL_CODECS[section.kind]
    for codec in section.rtp.codecs:
        if codec.name.upper() == name and any(is_codec_compatible(local, codec) for local in ours):
            again = [c for c in section.rtp.codecs if is_rtx(c) and c.parameters.get("apt") == codec.payloadType]
            section.rtp.codecs = [codec, *again]
            section.fmt = [c.payloadType for c in section.rtp.codecs]
            return True
    return False


def _refuse(section: MediaDescription, wanted: str) -> NegotiationFailed:
    offered = ", ".join(sorted({codec.name for codec in section.rtp.codecs})) or "none"
    return NegotiationFailed(f"The offered {section.kind} has no {wanted} (offered: {offered[:200]}).")


def _take_unusable_candidates(media: list[MediaDescription]) -> tuple[RTCIceCandidate, ...]:
    """Keep only UDP candidates with an address, and remove the end of candidates.

    The client may reach us from an address that it did not list (it listed none, or only hidden ones), so the
    end of its list is not the end of hope; ``Peer`` gives up by the clock.
    """
    hidden: list[RTCIceCandidate] = []
    for section in media:
        section.ice_candidates_complete = False
        kept = []
        for candidate in section.ice_candidates[:MAX_CANDIDATES]:
            if is_mdns_hostname(candidate.ip):
                hidden.append(candidate)
            elif _is_address(candidate.ip) and candidate.protocol.lower() == "udp":
                kept.append(candidate)
        section.ice_candidates = kept
    return tuple(hidden[:MAX_CANDIDATES])


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _first(media: list[MediaDescription], kind: str) -> int | None:
    return next((index for index, section in enumerate(media) if section.kind == kind), None)


def _sends(section: MediaDescription) -> bool:
    return section.direction in ("sendrecv", "sendonly")


def _receives(section: MediaDescription) -> bool:
    return section.direction in ("sendrecv", "recvonly")
