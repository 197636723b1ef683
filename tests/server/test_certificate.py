from __future__ import annotations

import ssl
import stat
from pathlib import Path

import typer
from cryptography import x509
from typer.testing import CliRunner

from server.cli.cert import cert
from server.security.certificate import local_names, self_signed


def test_a_pair_that_tls_accepts(tmp_path: Path) -> None:
    pair = self_signed(["localhost", "192.0.2.7", "2001:db8::1"], days=30)
    (tmp_path / "cert.pem").write_bytes(pair.cert_pem)
    (tmp_path / "key.pem").write_bytes(pair.key_pem)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    certificate = x509.load_pem_x509_certificate(pair.cert_pem)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.7", "2001:db8::1"]
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == 30


def test_local_names_begin_with_localhost() -> None:
    names = local_names()
    assert names[0] == "localhost" and "127.0.0.1" in names and len(set(names)) == len(names)


def test_the_command_writes_once_and_keeps_the_key_private(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(cert)
    run = CliRunner().invoke
    out = tmp_path / "tls"
    first = run(app, ["--out", str(out), "--name", "kiosk.local"])
    assert first.exit_code == 0 and "kiosk.local" in first.output
    assert stat.S_IMODE((out / "key.pem").stat().st_mode) == 0o600
    again = run(app, ["--out", str(out)])
    assert again.exit_code == 1 and "--force" in again.output
    assert run(app, ["--out", str(out), "--force"]).exit_code == 0


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    app = typer.Typer()
    app.command()(cert)
    result = CliRunner().invoke(app, ["--out", str(tmp_path / "file" / "tls")])
    assert result.exit_code == 1 and "cannot write" in result.output
