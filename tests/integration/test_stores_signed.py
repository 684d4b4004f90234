"""The store behind signed URLs keeps the contract over real HTTP, and says truly what a server's answers mean."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import pytest

from lucidfs.errors import Code, Fault
from lucidfs.objects import http
from lucidfs.objects.base import ObjectName
from lucidfs.objects.memory import MemoryStore
from lucidfs.objects.signed import SignedStore
from lucidfs.objects.signing import sign_url, verify
from lucidfs.objects.wrappers import is_passing
from lucidfs.testing.store_suite import BODY, NAME, StoreSuite

KEY = b"k" * 32
NOW_S = 1_000_000
Answer = Callable[[BaseHTTPRequestHandler], None]


class Gateway(BaseHTTPRequestHandler):
    """The gateway of docs/PROTOCOL.md over a store in memory."""

    protocol_version = "HTTP/1.1"
    objects: MemoryStore

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        name = self._allowed()
        if name is None:
            return self._answer(403)
        try:
            self.objects.put(name, body)
        except FileExistsError:
            return self._answer(409)
        return self._answer(200)

    def do_GET(self) -> None:
        name = self._allowed()
        if name is None:
            return self._answer(403)
        whole = self.objects.contents.get(name)
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if whole is None or asked is None:
            return self._answer(404 if whole is None else 400)
        first, last = int(asked[1]), int(asked[2])
        return self._answer(206, whole[first : last + 1]) if first < len(whole) else self._answer(416)

    def _allowed(self) -> ObjectName | None:
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query))
        _, _, filespace, object_ = url.path.split("/")
        try:
            return verify(KEY, self.command, filespace, object_, query["expires"], query["signature"], NOW_S)
        except Fault:
            return None

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The URL of a server on a free port that answers with `handler`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def answering(answer: Answer) -> Iterator[SignedStore]:
    """A store whose server does whatever `answer` does."""

    class Handler(Gateway):
        def do_GET(self) -> None:
            answer(self)

        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            answer(self)

    with serving(Handler) as url:
        store = SignedStore(signer(url))
        yield store
        store.close()


def calls(store: SignedStore) -> list[Callable[[], object]]:
    return [lambda: store.put(NAME, BODY), lambda: store.get(NAME, 0, 1)]


def signer(url: str, expires_s: int = NOW_S + 60) -> Callable[[str, ObjectName], str]:
    return lambda method, name: sign_url(KEY, url, method, name, expires_s)


@pytest.fixture
def gateway() -> Iterator[str]:
    handler = type("FreshGateway", (Gateway,), {"objects": MemoryStore()})
    with serving(handler) as url:
        yield url


class TestSignedStore(StoreSuite):
    manages = False
    durable = True

    @pytest.fixture
    def store(self, gateway: str) -> Iterator[SignedStore]:
        store = SignedStore(signer(gateway))
        yield store
        store.close()

    def reopened(self, store: object) -> SignedStore:
        assert isinstance(store, SignedStore)
        return SignedStore(store._url_for)


def test_an_ended_or_forged_url_is_denied(gateway: str) -> None:
    ended = SignedStore(signer(gateway, NOW_S))
    forged = SignedStore(lambda method, name: signer(gateway)(method, name)[:-1] + "x")
    swapped = SignedStore(lambda method, name: signer(gateway)("GET" if method == "PUT" else "PUT", name))
    for store in (ended, forged, swapped):
        for call in calls(store):
            with pytest.raises(Fault) as caught:
                call()
            assert caught.value.code is Code.DENIED
        store.close()


def test_one_connection_serves_many_calls_refusals_included(gateway: str) -> None:
    store = SignedStore(signer(gateway), connections_max=1)
    for _ in range(3):
        with pytest.raises(FileNotFoundError):
            store.get(NAME, 0, 1)
    store.put(NAME, BODY)
    for offset in range(10):
        store.get(NAME, offset, 1000)
    assert store._http._pool.connection_from_url(gateway).num_connections == 1
    store.close()


def status(code: int, body: bytes = b"") -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        assert isinstance(handler, Gateway)
        handler._answer(code, body)

    return answer


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (401, Code.DENIED),
        (403, Code.DENIED),
        (405, Code.UNSUPPORTED),
        (413, Code.TOO_LARGE),
        (507, Code.NO_SPACE),
        (400, Code.INVALID),
        (302, Code.INVALID),  # a redirect would carry the body somewhere else
    ],
)
def test_statuses_that_stay(code: int, expected: Code) -> None:
    with answering(status(code)) as store:
        for call in calls(store):
            with pytest.raises(Fault) as caught:
                call()
            assert caught.value.code is expected
            assert not is_passing(caught.value)


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_statuses_that_pass(code: int) -> None:
    with answering(status(code)) as store:
        for call in calls(store):
            with pytest.raises(OSError, match=str(code)) as caught:
                call()
            assert is_passing(caught.value)


def test_a_server_without_ranges_serves_too() -> None:
    with answering(status(200, BODY)) as store:
        assert store.get(NAME, 100, 50) == BODY[100:150]
        with pytest.raises(EOFError):
            store.get(NAME, len(BODY) - 1, 2)


def test_a_body_that_breaks_off_passes() -> None:
    def half(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(206)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"x" * 50)
        handler.close_connection = True

    with answering(half) as store, pytest.raises(ConnectionError):
        store.get(NAME, 0, 100)


@pytest.mark.parametrize("header", ["Content-Length: 1099511627776", "Transfer-Encoding: chunked"])
def test_a_body_of_unbounded_length_is_not_read(header: str) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(206)
        handler.send_header(*header.split(": "))
        handler.end_headers()
        handler.close_connection = True

    with answering(endless) as store, pytest.raises(Fault) as caught:
        store.get(NAME, 0, 100)
    assert caught.value.code is Code.TOO_LARGE


def test_a_server_that_is_not_there_passes() -> None:
    with serving(Gateway) as url:
        pass
    store = SignedStore(signer(url))
    for call in calls(store):
        with pytest.raises(ConnectionError) as caught:
            call()
        assert "signature" not in str(caught.value)  # the URL is a secret for as long as it is good
        assert is_passing(caught.value)
    store.close()


def test_a_silent_server_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "STORE_READ_TIMEOUT_S", 0.05)
    done = threading.Event()

    def silent(_: BaseHTTPRequestHandler) -> None:
        done.wait(10)

    with answering(silent) as store:
        with pytest.raises(TimeoutError) as caught:
            store.get(NAME, 0, 1)
        done.set()
    assert is_passing(caught.value)


def test_a_url_that_is_none_is_a_fault() -> None:
    store = SignedStore(lambda *_: "http://[nowhere/")
    with pytest.raises(Fault) as caught:
        store.get(NAME, 0, 1)
    assert caught.value.code is Code.INVALID
    store.close()


def test_what_url_for_raises_goes_through() -> None:
    def refuse(*_: object) -> str:
        raise Fault(Code.UNAVAILABLE, "the hub is away")

    store = SignedStore(refuse)
    with pytest.raises(Fault, match="the hub is away"):
        store.put(NAME, BODY)
    store.close()
