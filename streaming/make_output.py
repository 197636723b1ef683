"""The output that fits what a peer asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from streaming.avatar_output import AvatarOutput
from streaming.encoding.bitrate import BitrateControl
from streaming.sound_output import SoundOutput
from streaming.webrtc.packet_track import PacketTrack
from streaming.webrtc.peer import Peer
from streaming.workers.pool import WorkerPool, WorkerSpec


def make_avatar_output(peer: Peer, pool: WorkerPool, spec: WorkerSpec) -> AvatarOutput | SoundOutput:
    """Sound and picture to ``peer``, which has answered its offer; sound alone where it wants no picture.

    The picture is encoded with the codec that was negotiated, and follows the peer's requests for keyframes
    and its bit rate. A conversation over a WebSocket uses ``SoundOutput()`` instead.
    """
    if peer.video is None:
        return SoundOutput(peer.audio)
    output = AvatarOutput(pool, replace(spec, codec=peer.codec), sound=peer.audio, picture=peer.video)
    peer.on_keyframe_request = output.request_keyframe
    peer.on_bitrate = _follow(output, peer.video, BitrateControl(spec.bitrate_bps))
    return output


def _follow(output: AvatarOutput, picture: PacketTrack, control: BitrateControl) -> Callable[[int], None]:
    loop = asyncio.get_running_loop()
    return lambda estimate_bps: output.set_bitrate(control.report(loop.time(), estimate_bps, picture.sent_bytes))
