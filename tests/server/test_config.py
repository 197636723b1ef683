from __future__ import annotations

from pathlib import Path

import pytest

from avatar.echomimic.options import Options
from server.config import ConfigError, known_keys, load_settings
from server.renderer_options import renderer_options


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No variables and no file but the test's own."""
    import os

    for name in list(os.environ):
        if name.startswith("PARLEY_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_defaults_serve_loopback_with_embedded_engines() -> None:
    settings = load_settings()
    assert settings.server.host == "127.0.0.1" and settings.server.api_key is None
    assert {settings.hearing.engine, settings.chat.engine, settings.speaking.engine} == {"auto"}


def test_variables_win_over_the_file_and_options_over_both(clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (clean / "parley.toml").write_text('[server]\nport = 1111\nhost = "127.0.0.2"\n[chat]\nmodel = "m"\n')
    assert load_settings().server.port == 1111
    monkeypatch.setenv("PARLEY_SERVER_PORT", "2222")
    settings = load_settings()
    assert (settings.server.port, settings.server.host, settings.chat.model) == (2222, "127.0.0.2", "m")
    assert load_settings(server={"port": 3333}).server.port == 3333


def test_named_file(clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = clean / "other.toml"
    monkeypatch.setenv("PARLEY_CONFIG", str(path))
    with pytest.raises(ConfigError, match="not a file"):
        load_settings()
    path.write_text("data_dir = '/somewhere'\n")
    assert load_settings().data_dir == Path("/somewhere")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[server]\nport = 99999\n", ["server.port", "99999", "65535"]),
        ("[server]\nprot = 1\n", ["server.prot", "not a known key"]),
        ("[servers]\nport = 1\n", ["servers", "not a known key"]),
        ("[server\n", ["parley.toml"]),
        ("[avatar]\nsize = 500\n", ["avatar.size", "512"]),
        ("[server]\ntls_cert = 'a.pem'\n", ["tls_cert", "tls_key"]),
        ("[server]\ntrusted_proxies = ['nonsense']\n", ["trusted_proxies", "nonsense"]),
        ("[webrtc]\nudp_port_min = 5000\n", ["udp_port_max"]),
        ("[webrtc]\nudp_port_min = 5000\nudp_port_max = 4000\n", ["udp_port_max"]),
        ("[webrtc]\npublic_ip = 'avatar.example'\n", ["public_ip", "avatar.example"]),
        ("[webrtc]\nstun_url = 'stun.example:3478'\n", ["stun_url", "stun:stun.example:3478"]),
        ("[webrtc]\nturn_url = 'turn://turn.example'\n", ["turn_url", "turn:turn.example:3478"]),
    ],
)
def test_mistakes_are_named(clean: Path, text: str, words: list[str]) -> None:
    (clean / "parley.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_settings()
    for word in words:
        assert word in str(caught.value)


def test_a_mistyped_variable_is_not_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_SERVER_PROT", "1")
    with pytest.raises(ConfigError, match="PARLEY_SERVER_PROT"):
        load_settings()


def test_a_list_that_is_not_json_is_answered_with_how_to_write_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_SERVER_ALLOWED_ORIGINS", "https://a.example, https://b.example")
    with pytest.raises(ConfigError) as caught:
        load_settings()
    assert "PARLEY_SERVER_ALLOWED_ORIGINS" in str(caught.value)
    assert """["https://a.example", "https://b.example"]""" in str(caught.value)


def test_keys_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_CHAT_API_KEY", "sk-very-secret")
    assert "sk-very-secret" not in repr(load_settings())
    monkeypatch.setenv("PARLEY_SERVER_API_KEY", "")
    assert "sk-very-secret" not in str(load_settings())


def test_every_key_is_explained() -> None:
    keys = known_keys()
    assert len(keys) > 40
    for name, (_, _, text) in keys.items():
        assert text.endswith((".", ").")), name


def test_the_page_tells_every_key() -> None:
    """After a change: ``PYTHONPATH=. python scripts/configuration_docs.py``."""
    from scripts.configuration_docs import PAGE, page

    assert PAGE.read_text(encoding="utf-8") == page()


def test_addresses_of_the_media_path(clean: Path) -> None:
    (clean / "parley.toml").write_text(
        "[webrtc]\npublic_ip = '2001:db8::1'\nstun_url = 'stun:stun.example'\n"
        "turn_url = 'turns:turn.example:443?transport=tcp'\n"
    )
    assert load_settings().webrtc.public_ip == "2001:db8::1"


def test_numbers_among_choices_may_come_by_variable(clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_AVATAR_SIZE", "768")
    assert load_settings().avatar.size == 768
    monkeypatch.setenv("PARLEY_AVATAR_SIZE", "500")
    with pytest.raises(ConfigError, match="256, 384, 512 or 768"):
        load_settings()


def test_echomimics_options_are_those_of_its_settings(clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert renderer_options(load_settings()) == {}
    monkeypatch.setenv("PARLEY_AVATAR_RENDERER", "echomimic")
    monkeypatch.setenv("PARLEY_ECHOMIMIC_DRIVE", "sound+poses")
    with pytest.raises(ConfigError, match="needs poses"):
        load_settings()
    monkeypatch.setenv("PARLEY_ECHOMIMIC_POSES", "p.npz")
    settings = load_settings()
    options = Options.from_dict(renderer_options(settings))
    assert options.poses == str(Path("p.npz").absolute()) and options.idle_poses == ""
    assert options.weights == str(settings.data_dir / "models" / "echomimic")
    defaults = Options(weights=options.weights, cache=options.cache, drive=options.drive, poses=options.poses)
    assert options == defaults, "settings and options have the same defaults"
