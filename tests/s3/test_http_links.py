"""HTTP links: what a URL gives as a file; what its server must be able to do; where it may not lead."""

from __future__ import annotations

import errno
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lucidfs.testing.hubs import new_hub
from tests.world import Client, World

PRIVATE = [
    "127.0.0.1",
    "localhost",
    "10.0.0.1",
    "169.254.169.254",
    "[::1]",
    "[::ffff:10.0.0.1]",
    "2130706433",
    "0x7f.1",
]
BODY = bytes(range(256)) * 1000


class Site(BaseHTTPRequestHandler):
    """Serves BODY below /ranges, and in worse ways elsewhere."""

    protocol_version = "HTTP/1.1"
    etag = '"one"'

    def do_GET(self) -> None:
        kind = self.path.split("/")[1]
        if kind == "redirect":
            left = int(self.path.split("/")[2])
            return self._answer(302, b"", Location=f"/redirect/{left - 1}" if left else "/ranges/x")
        if kind == "away":
            return self._answer(302, b"", Location="http://169.254.169.254/latest/meta-data")
        if kind == "missing":
            return self._answer(404, b"")
        if kind == "whole":
            return self._answer(200, BODY)
        if kind == "unknown":
            return self._answer(206, b"x", **{"Content-Range": "bytes 0-0/*"})
        match = self.headers.get("If-Match")
        if match and match != self.etag:
            return self._answer(412, b"")
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        assert asked is not None
        first, last = int(asked[1]), min(int(asked[2]), len(BODY) - 1)
        span = f"bytes {first}-{last}/{len(BODY)}"
        return self._answer(206, BODY[first : last + 1], **{"Content-Range": span, "ETag": self.etag})

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def site() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_url_is_a_file(client: Client, site: str) -> None:
    connect, fs = client.filespace.connect, client.fs
    connect.link_http_file("/web/data.bin", f"{site}/ranges/data?token=secret")
    assert fs.get_entry("/web/data.bin").size == len(BODY)
    assert fs.get_entry("/web/data.bin").file_id_external
    assert fs.read_file("/web/data.bin") == BODY
    with fs.open("/web/data.bin", "rb") as stream:
        stream.seek(70_000)
        assert stream.read(5) == BODY[70_000:70_005]
    assert fs.get_statistics().external_files_count == 1
    with pytest.raises(PermissionError):
        fs.open("/web/data.bin", "r+b")
    connect.unlink_file("/web/data.bin")
    assert not fs.file_exists("/web/data.bin")


def test_redirects(client: Client, site: str) -> None:
    connect = client.filespace.connect
    connect.link_http_file("/a", f"{site}/redirect/4")
    assert client.fs.read_file("/a") == BODY
    with pytest.raises(ValueError, match="redirects"):
        connect.link_http_file("/b", f"{site}/redirect/5")


@pytest.mark.parametrize(
    ("path", "said"), [("whole/x", "no ranges"), ("unknown/x", "how long"), ("missing/x", "nothing there")]
)
def test_servers_that_cannot(client: Client, site: str, path: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"^url: .*{said}"):
        client.filespace.connect.link_http_file("/a", f"{site}/{path}")
    assert not client.fs.file_exists("/a")


@pytest.mark.parametrize(
    "url", ["", "x", "ftp://host/x", "http://", "http://me:pw@host/x", "http://host/" + "x" * 9000]
)
def test_urls_that_are_none(client: Client, url: str) -> None:
    with pytest.raises(ValueError, match=r"^url: "):
        client.filespace.connect.link_http_file("/a", url)


def test_a_wrong_size(client: Client, site: str) -> None:
    connect = client.filespace.connect
    with pytest.raises(ValueError, match=r"^size: "):
        connect.link_http_file("/a", f"{site}/ranges/x", size=5)
    with pytest.raises(ValueError, match=r"^size: "):
        connect.link_http_file("/a", f"{site}/ranges/x", size=-5)
    connect.link_http_file("/a", f"{site}/ranges/x", size=len(BODY))


def test_another_url(client: Client, site: str) -> None:
    connect, fs = client.filespace.connect, client.fs
    connect.link_http_file("/a", f"{site}/ranges/x")
    before = fs.get_entry("/a").file_id_external
    connect.update_http_file_url("/a", f"{site}/redirect/1")
    assert fs.read_file("/a") == BODY
    assert fs.get_entry("/a").file_id_external == before
    fs.write_file("/own", b"own")
    with pytest.raises(RuntimeError, match="not an external file"):
        connect.update_http_file_url("/own", f"{site}/ranges/x")
    with pytest.raises(FileNotFoundError):
        connect.update_http_file_url("/nothing", f"{site}/ranges/x")


def test_a_replaced_file_is_found(client: Client, site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client.filespace.connect.link_http_file("/a", f"{site}/ranges/x")
    monkeypatch.setattr(Site, "etag", '"two"')
    with pytest.raises(OSError, match="replaced") as caught:
        client.fs.read_file("/a")
    assert caught.value.errno == errno.ESTALE


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "10.0.0.1", "169.254.169.254", "[::1]", "[::ffff:a00:1]", "2130706433", "0x7f.1"],
)
def test_private_networks_are_refused_unless_they_are_allowed(tmp_path: Path, host: str) -> None:
    hub, token = new_hub(tmp_path)
    try:
        world = World(hub, token)
        with world.client() as client:
            with pytest.raises(RuntimeError, match="private network"):
                client.filespace.connect.link_http_file("/a", f"http://{host}/x")
    finally:
        hub.stop()


def test_the_url_is_sealed_at_rest(s3_world: World, client: Client, site: str) -> None:
    client.filespace.connect.link_http_file("/a", f"{site}/ranges/x?signature=verysecret")
    for path in Path(s3_world.hub.data).rglob("*"):
        assert not path.is_file() or b"verysecret" not in path.read_bytes(), path
