"""The output that fits what a peer asked for."""

from __future__ import annotations

from dataclasses import replace

from streaming.avatar_output import AvatarOutput
from streaming.sound_output import SoundOutput
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
    return output
