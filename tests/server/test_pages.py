"""Static files, avatars, models, health."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from server.personas import THUMBNAIL_SIDE
from server.routes.static import WebClientFiles
from tests.server.conftest import Site

Serve = Callable[..., Site]


def test_the_page_is_revalidated_not_reloaded(serve: Serve) -> None:
    client = serve().client
    page = client.get("/")
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    assert page.headers["cache-control"] == "no-cache"
    script = client.get("/app.js")
    assert script.headers["content-type"].startswith("text/javascript")
    again = client.get("/app.js", headers={"If-None-Match": script.headers["etag"]})
    assert again.status_code == 304 and again.content == b""


def test_other_sites_may_load_the_element(serve: Serve) -> None:
    answer = serve().client.get("/app.js", headers={"Origin": "https://anywhere.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"


@pytest.mark.parametrize(
    "path",
    ["/__init__.py", "/nothing.js", "/..%2f..%2fetc%2fpasswd", "/%2e%2e/outside.js", "/..%5coutside.js", "/.hidden.js",
     "//etc/passwd", "/app.js%00.html", "/" + "a" * 5000 + ".js", "/sub", "/%ff.js"],
)  # fmt: skip
def test_nothing_but_the_pages_own_files(serve: Serve, tmp_path: Path, path: str) -> None:
    site = serve()
    (tmp_path / "outside.js").write_text("secret")
    (tmp_path / "web" / ".hidden.js").write_text("secret")
    (tmp_path / "web" / "sub").mkdir()
    answer = site.client.get(path)
    assert answer.status_code == 404
    assert "secret" not in answer.text


def test_symbolic_links_lead_nowhere(serve: Serve, tmp_path: Path) -> None:
    site = serve()
    (tmp_path / "outside.js").write_text("secret")
    (tmp_path / "web" / "link.js").symlink_to(tmp_path / "outside.js")
    assert site.client.get("/link.js").status_code == 404


def test_only_get_and_head(serve: Serve) -> None:
    site = serve()
    answer = site.client.post("/app.js")
    assert answer.status_code == 405
    assert answer.json()["error"]["code"] == "method_not_allowed"
    assert site.client.head("/app.js").status_code == 200


def test_the_packages_own_files_are_found() -> None:
    folder = Path(str(WebClientFiles().directory))
    assert (folder / "index.html").is_file()


def test_avatars_and_their_pictures(serve: Serve) -> None:
    client = serve(app_options=None).client
    listed = client.get("/v1/avatars").json()
    assert listed["data"][0]["name"] == "helen" and listed["data"][0]["default"]
    assert {avatar["name"] for avatar in listed["data"]} == {"helen", "mei", "arjun"}
    assert listed["voices"] == ["auto", "anna", "ben"]
    picture = client.get(listed["data"][0]["thumbnail"])
    assert picture.headers["content-type"] == "image/webp"
    with Image.open(io.BytesIO(picture.content)) as image:
        assert image.size == (THUMBNAIL_SIDE, THUMBNAIL_SIDE)


@pytest.mark.parametrize(
    "path",
    ["/v1/avatars/helen/thumbnail.webp", "/v1/avatars/helen/thumbnail.webp?key=0", "/v1/avatars/helen/thumbnail.webp?key=%ff",
     "/v1/avatars/..%2fhelen/thumbnail.webp"],
)  # fmt: skip
def test_pictures_need_their_address(serve: Serve, path: str) -> None:
    assert serve().client.get(path).status_code == 404


def test_one_picture_s_key_opens_no_other(serve: Serve) -> None:
    client = serve().client
    address = client.get("/v1/avatars").json()["data"][0]["thumbnail"]
    assert client.get(address.replace("helen", "mei")).status_code == 404


def test_models(serve: Serve) -> None:
    listed = serve().client.get("/v1/models").json()
    assert listed == {
        "object": "list",
        "data": [{"id": "parley", "object": "model", "created": 0, "owned_by": "parley"}],
    }


def test_health(serve: Serve) -> None:
    site = serve()
    answer = site.client.get("/health")
    assert answer.json()["status"] == "ok" and set(answer.json()) == {"status", "version"}
    site.state.registry.draining = True
    assert site.client.get("/health").status_code == 503
    refused = site.client.post("/v1/realtime/calls", content="v=0", headers={"Content-Type": "application/sdp"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "server_shutting_down")
    assert int(refused.headers["retry-after"]) > 0


def test_unknown_paths_speak_json(serve: Serve) -> None:
    answer = serve().client.get("/v1/nothing")
    assert answer.status_code == 404 and answer.json()["error"]["code"] == "not_found"
