"""A conversation with the ``echomimic`` renderer: tiny networks with random weights, and all that is around them for real."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.visitor import Visitor
from tests.e2e.conftest import Serve, Visit

pytest.importorskip("torch", reason="the gpu extra is not installed")

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(180)]

LABEL = (0.0, 0.0, 1.0, 0.055)
"""Where the frame says that its weights are random."""
FACE = (0.2, 0.2, 0.5, 0.5)


async def watched(visitor: Visitor, area: tuple[float, float, float, float]) -> None:
    await visitor.page.evaluate("area => { void probe.record(...area); }", list(area))


async def test_a_conversation_is_drawn_in_windows(serve: Serve, visit: Visit) -> None:
    """A typed question is answered aloud; the picture moves before, during and after it; an interruption is heeded."""
    served = await serve(
        PARLEY_AVATAR_RENDERER="echomimic",
        PARLEY_AVATAR_SIZE="256",
        PARLEY_ECHOMIMIC_WEIGHTS="random",
        PARLEY_ECHOMIMIC_STEPS="1",
    )
    visitor = await visit(served.url)
    await visitor.connect(microphone=False)
    await watched(visitor, FACE)
    await visitor.element("chat('What is Parley?')")
    await visitor.wait_for("output_audio_buffer.stopped", seconds=60)
    (started, *_), (stopped, *_) = (
        await visitor.events("output_audio_buffer.started"),
        await visitor.events("output_audio_buffer.stopped"),
    )
    frames = await visitor.page.evaluate("probe.frames")
    during = [frame for frame in frames if started["at"] <= frame["at"] <= stopped["at"]]
    changes = np.abs(np.diff([frame["grey"] for frame in during], axis=0)).mean(axis=1)
    assert np.median(changes) > 1.0, "each frame differs from the one before"
    assert max(frame["loudness"] for frame in during) > 0.02
    text = "".join(event["text"] for event in await visitor.events("avatar.caption"))
    (done, *_) = await visitor.events("response.output_audio_transcript.done")
    assert text.strip() == done["transcript"].strip()

    await visitor.element("chat('Tell me everything about Parley.')")
    await visitor.wait_for("output_audio_buffer.started", count=2, seconds=60)
    await visitor.element("interrupt()")
    await visitor.wait_for("output_audio_buffer.cleared", seconds=10)
    before = (await visitor.inbound())["video"]["framesDecoded"]
    await visitor.page.wait_for_function(
        f"async () => (await probe.inbound()).video.framesDecoded > {before + 20}", timeout=30_000
    )
