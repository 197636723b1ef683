"""Every way in which a machine can fail a visitor is named, with its cure."""

from __future__ import annotations

import datetime
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from server.cli.main import app
from server.config import Settings
from server.doctor import Finding, Verdict, engines, machine, network
from server.engines import Choice
from server.security.certificate import self_signed

KEY = "0123456789abcdef0123456789abcdef"


def configured(tmp_path: Path, **sections: Any) -> Settings:
    return Settings(**({"data_dir": tmp_path / "data"} | sections))


def one(findings: Iterator[Finding], subject: str) -> Finding:
    (found,) = [finding for finding in findings if finding.subject == subject]
    return found


@contextmanager
def endpoint(status: int = 200, body: Any = None, key: str | None = None) -> Iterator[str]:
    """An OpenAI-compatible server that only lists models."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            refused = key is not None and self.headers["Authorization"] != f"Bearer {key}"
            self.send_response(401 if refused else status)
            self.end_headers()
            self.wfile.write(json.dumps(body if body is not None else {"data": [{"id": "qwen3:latest"}]}).encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def chat_findings(tmp_path: Path, **section: Any) -> list[Finding]:
    settings = configured(tmp_path, chat=section)
    return list(engines._endpoint(settings, Choice("chat", "openai", "")))


# The machine


def test_a_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = one(machine.examine(configured(tmp_path, data_dir=tmp_path / "file" / "data")), "data")
    assert found.verdict is Verdict.PROBLEM and str(tmp_path / "file") in found.message
    assert "PARLEY_DATA_DIR" in found.cure


def test_the_data_folder_is_made_and_left_empty(tmp_path: Path) -> None:
    assert one(machine.examine(configured(tmp_path)), "data").verdict is Verdict.OK
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.parametrize(
    ("codec", "what", "verdict"), [("libvpx", "VP8", Verdict.PROBLEM), ("libx264", "H.264", Verdict.NOTE)]
)
def test_a_codec_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codec: str, what: str, verdict: Verdict
) -> None:
    import av

    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {codec})
    found = one(machine.examine(configured(tmp_path)), "codecs")
    assert found.verdict is verdict and what in found.message and found.cure


def test_one_core_is_worth_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0}, raising=False)
    assert one(machine.examine(configured(tmp_path)), "machine").verdict is Verdict.NOTE


def test_no_mediapipe_is_a_note_not_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    from avatar import landmarks
    from avatar.errors import ToolMissing

    def missing(_: object) -> None:
        raise ToolMissing("MediaPipe is not installed.")

    monkeypatch.setattr(landmarks, "find_faces", missing)
    assert machine.persona_maker().verdict is Verdict.NOTE


# The network


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = one(network.examine(configured(tmp_path, server={"port": port})), "port")
    assert found.verdict is Verdict.PROBLEM and str(port) in found.message and "--port 0" in found.cure


def test_a_host_without_an_address(tmp_path: Path) -> None:
    found = one(network.examine(configured(tmp_path, server={"host": "nowhere.invalid"})), "port")
    assert found.verdict is Verdict.PROBLEM and "PARLEY_SERVER_HOST" in found.cure


def test_a_port_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "bind", refuse)
    found = network._tcp_port(configured(tmp_path, server={"port": 443}))
    assert found.verdict is Verdict.PROBLEM and "8443" in found.cure


def test_the_network_without_key_and_tls(tmp_path: Path) -> None:
    found = list(network.examine(configured(tmp_path, server={"host": "0.0.0.0", "port": 0})))
    problems = [finding for finding in found if finding.verdict is Verdict.PROBLEM]
    assert [finding.subject for finding in problems] == ["access", "access"]
    assert "PARLEY_SERVER_API_KEY" in problems[0].cure and "parley cert" in problems[1].cure
    assert not any(finding.subject == "microphone" for finding in found)  # nothing there that calms


def test_tls_files_that_are_not_there(tmp_path: Path) -> None:
    pair = {"tls_cert": tmp_path / "cert.pem", "tls_key": tmp_path / "key.pem"}
    found = one(network.examine(configured(tmp_path, server={"port": 0, **pair})), "access")
    assert "cert.pem" in found.message and "parley cert" in found.cure


@pytest.mark.parametrize(("days", "verdict"), [(365, Verdict.OK), (5, Verdict.NOTE), (-3, Verdict.PROBLEM)])
def test_a_certificate_that_ends(tmp_path: Path, days: int, verdict: Verdict) -> None:
    cert = tmp_path / "cert.pem"
    cert.write_bytes(self_signed(["localhost"], days=400).cert_pem)
    ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=399)
    found = network._certificate(cert, ends - datetime.timedelta(days=days))
    assert found.verdict is verdict
    assert ("parley cert --force" in found.cure) == (verdict is not Verdict.OK)


def test_too_few_media_ports(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("", 0))
        port = taken.getsockname()[1]
        settings = configured(tmp_path, webrtc={"udp_port_min": port, "udp_port_max": port})
        found = network._udp_ports(settings)
    assert found.verdict is Verdict.PROBLEM and "udp_port_min" in found.cure
    assert network._udp_ports(settings).verdict is Verdict.NOTE  # free again, but one port for eight conversations


def test_the_microphone_trap_is_told_on_a_healthy_machine(tmp_path: Path) -> None:
    found = one(network.examine(configured(tmp_path, server={"port": 0})), "microphone")
    assert "HTTPS" in found.message and "parley cert" in found.cure


# The engines


def test_an_endpoint_that_is_not_there(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        url = f"http://127.0.0.1:{gone.getsockname()[1]}/v1"
    (found,) = chat_findings(tmp_path, base_url=url)
    assert found.verdict is Verdict.PROBLEM and url in found.message and "PARLEY_CHAT_BASE_URL" in found.cure


def test_a_key_that_is_refused(tmp_path: Path) -> None:
    with endpoint(key="right") as url:
        (wrong,) = chat_findings(tmp_path, base_url=url, api_key="wrong-key-of-mine")
        (none,) = chat_findings(tmp_path, base_url=url)
        (right,) = chat_findings(tmp_path, base_url=url, api_key="right", model="qwen3")
    assert wrong.verdict is Verdict.PROBLEM and "PARLEY_CHAT_API_KEY" in wrong.cure
    assert "wrong-key-of-mine" not in wrong.message + wrong.cure
    assert "without a key" in none.message
    assert right.verdict is Verdict.OK


def test_a_model_that_the_endpoint_lacks(tmp_path: Path) -> None:
    with endpoint() as url:
        (found,) = chat_findings(tmp_path, base_url=url, model="lama3")
    assert found.verdict is Verdict.PROBLEM
    assert "lama3" in found.message and "qwen3:latest" in found.message and "PARLEY_CHAT_MODEL" in found.cure


@pytest.mark.parametrize("body", [[], {"data": "?"}, {"models": []}, "text"])
def test_an_endpoint_that_lists_nothing_readable_is_not_blamed(tmp_path: Path, body: Any) -> None:
    with endpoint(body=body) as url:
        (found,) = chat_findings(tmp_path, base_url=url)
    assert found.verdict is Verdict.OK


def test_an_address_that_lacks_v1(tmp_path: Path) -> None:
    with endpoint(status=404) as url:
        (found,) = chat_findings(tmp_path, base_url=url)
    assert found.verdict is Verdict.NOTE and "/v1" in found.cure


def test_pocketsphinx_and_a_language_that_it_does_not_know(tmp_path: Path) -> None:
    settings = configured(tmp_path, hearing={"language": "zh"})
    found = engines._chosen(settings, Choice("hearing", "pocketsphinx", ""))
    assert found.verdict is Verdict.PROBLEM and "models fetch" in found.cure


def test_rules_in_place_of_learned_motion_are_worth_a_note(tmp_path: Path) -> None:
    fallen = engines._chosen(configured(tmp_path), Choice("motion", "rules", "card.json is gone"))
    assert fallen.verdict is Verdict.NOTE and "card.json is gone" in fallen.message
    wanted = configured(tmp_path, avatar={"motion": "rules"})
    assert engines._chosen(wanted, Choice("motion", "rules", "asked for by name")).verdict is Verdict.OK


def test_an_engine_that_cannot_be_had(tmp_path: Path) -> None:
    (found,) = engines.examine(configured(tmp_path, hearing={"engine": "faster-whisper"}))
    assert found.verdict is Verdict.PROBLEM and "parley models fetch small" in found.message


def test_a_knowledge_folder_that_is_not_there(tmp_path: Path) -> None:
    found = list(engines.examine(configured(tmp_path, chat={"knowledge": tmp_path / "none"})))[-1]
    assert found.verdict is Verdict.PROBLEM and str(tmp_path / "none") in found.message


def test_a_persona_that_is_not_there(tmp_path: Path) -> None:
    found = list(engines.examine(configured(tmp_path, avatar={"persona": "nobody"})))[-1]
    assert found.subject == "face" and found.verdict is Verdict.PROBLEM
    assert "nobody" in found.message and "parley avatar list" in found.cure


def test_no_voice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.engines._installed", lambda package: package != "espeakng_loader")
    (found,) = engines.examine(configured(tmp_path))
    assert found.verdict is Verdict.PROBLEM and "espeakng-loader" in found.message


# The command


@pytest.fixture
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PARLEY_DATA_DIR", str(tmp_path / "data"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        monkeypatch.setenv("PARLEY_SERVER_PORT", str(free.getsockname()[1]))


@pytest.mark.usefixtures("clean")
def test_a_healthy_machine() -> None:
    """Everything embedded works: a word is spoken and shown."""
    result = CliRunner().invoke(app, ["doctor", "--json"])
    told = json.loads(result.stdout)
    assert told["healthy"] and result.exit_code == 0, result.stdout
    verdicts = {finding["subject"]: finding["verdict"] for finding in told["findings"]}
    assert verdicts["face"] == verdicts["voice activity"] == "ok"
    assert "PROBLEM" not in result.stdout


@pytest.mark.usefixtures("clean")
def test_a_sick_machine_says_so_by_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_HEARING_ENGINE", "faster-whisper")
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "PROBLEM  engines" in result.stdout and "-> " in result.stdout
    assert "Nothing stops" not in result.stdout
