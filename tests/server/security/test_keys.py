from __future__ import annotations

import pytest

from server.errors import TooManyRequests, Unauthorized
from server.realtime.session_config import SessionConfig, SessionDefaults
from server.security.keys import MAX_TOKENS, ClientSecrets, same_secret

CONFIG = SessionConfig.initial(SessionDefaults())


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_values_are_unguessable_and_not_kept() -> None:
    secrets = ClientSecrets(Clock())
    values = {secrets.mint(CONFIG, 60) for _ in range(100)}
    assert len(values) == 100
    assert all(len(value) == 3 + 43 for value in values), "256 bits in base64url"
    assert not any(value in repr(vars(secrets)) for value in values)


def test_found_until_it_expires() -> None:
    clock = Clock()
    secrets = ClientSecrets(clock)
    value = secrets.mint(CONFIG, 60)
    assert secrets.find(value) is not None
    assert secrets.find(value[:-1]) is None and secrets.find(value + "A") is None and secrets.find("") is None
    clock.now = 60.5
    assert secrets.find(value) is None


def test_one_conversation() -> None:
    clock = Clock()
    secrets = ClientSecrets(clock)
    value = secrets.mint(CONFIG, 60)
    secret = secrets.find(value)
    assert secret is not None
    secrets.reserve(secret)
    with pytest.raises(Unauthorized, match="already used"):
        secrets.reserve(secret)
    secrets.release(secret)
    secrets.reserve(secret)
    secrets.use(secret, "rtc_1")
    with pytest.raises(Unauthorized):
        secrets.reserve(secret)
    clock.now = 3600
    assert secrets.find(value) is secret, "its conversation still runs, and it may end it"
    secrets.forget_call("rtc_1")
    assert secrets.find(value) is None


def test_the_number_of_waiting_secrets_is_bounded() -> None:
    clock = Clock()
    secrets = ClientSecrets(clock)
    for _ in range(MAX_TOKENS):
        secrets.mint(CONFIG, 60)
    with pytest.raises(TooManyRequests):
        secrets.mint(CONFIG, 60)
    clock.now = 61
    secrets.mint(CONFIG, 60)


def test_comparison_takes_any_text() -> None:
    assert same_secret("schlüssel", "schlüssel")
    assert not same_secret("\udcff", "key") and not same_secret("", "key") and not same_secret("ke", "key")
