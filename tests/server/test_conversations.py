"""What of the settings reaches a conversation."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from server.config import Settings
from server.conversations import LiveConversations
from server.realtime.parse import parse_session
from server.realtime.session_config import SessionConfig, SessionDefaults
from streaming import events
from tests.server.fakes import fake_engines


async def test_a_turn_is_as_long_as_the_settings_allow(tmp_path: Path) -> None:
    settings = Settings(turns={"max_seconds": 5}, data_dir=tmp_path)  # type: ignore[arg-type]
    request = {"type": "realtime", "audio": {"input": {"turn_detection": None}}}
    config = SessionConfig.initial(SessionDefaults()).updated(*parse_session(request, "session"))
    told: list[events.Event] = []
    conversation = LiveConversations(settings, fake_engines()).over_events(config, told.append)
    for _ in range(6):
        conversation.hear(np.zeros(16_000, np.int16))
    await conversation.close()
    assert [event.duration_ms for event in told if isinstance(event, events.InputFull)] == [5000]
