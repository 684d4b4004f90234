"""A hub behind real sockets: the wire as WebSocket, the object gateway, health and metrics."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
import os
import socket
import struct
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lucidfs.crypto.account import AccountKeys
from lucidfs.crypto.token import Token
from lucidfs.errors import Code, Fault
from lucidfs.hub import gateway
from lucidfs.hub.bootstrap import DATABASE_FILE, bootstrap, is_bootstrapped
from lucidfs.hub.database.sqlite import SqliteDatabase
from lucidfs.hub.settings import HubSettings
from lucidfs.objects.base import ObjectName
from lucidfs.objects.signing import sign_url
from lucidfs.testing.hubs import HubThread, new_hub
from lucidfs.types import FilespaceId, Kind, LockMode, ObjectId
from lucidfs.wire import messages as m
from lucidfs.wire.websocket import WebSocketTransport
from tests.hub_rig import ADMIN, FILESPACE, ROOT, RawClient, fill, name, new_file, refused


@contextmanager
def serving(folder: Path, settings: HubSettings | None = None) -> Iterator[HubThread]:
    """A hub in a thread, with the accounts and filespaces of `hub_rig`."""
    folder.mkdir(exist_ok=True)
    database = SqliteDatabase(folder / DATABASE_FILE)
    fill(database)
    database.close()
    hub = HubThread(folder, settings=settings)
    try:
        yield hub
    finally:
        hub.stop()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubThread]:
    with serving(tmp_path / "hub") as found:
        yield found


async def login(hub: HubThread, account: int = ADMIN, filespace: int = FILESPACE) -> RawClient:
    client = RawClient()
    await client.connect(WebSocketTransport(hub.url))
    await client.login(account, filespace)
    return client


def ask(url: str, method: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes, dict[str, str]]:
    """One HTTP request by the standard library: status, body, headers."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    try:
        connection.request(method, f"{parts.path}?{parts.query}" if parts.query else parts.path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.read(), dict(answer.getheaders())
    finally:
        connection.close()


# --- the wire ---------------------------------------------------------------------------------------------------


def test_messages_of_all_sizes_arrive_whole(hub: HubThread) -> None:
    async def scenario() -> None:
        client = await login(hub)
        for number, lengths in enumerate(([33], [64], [100], [300], [60_000], [65_400], [65_500], [65_000, 65_000])):
            small, size = os.urandom(sum(lengths)), len(lengths) * 65_536
            extent = m.Extent(0, len(lengths), 100 + number, 0, 7, 0, 0, lengths)
            content = m.NewContent(size, 7, b"m" * 16, [extent], small)
            await client.call(m.Create(ROOT, m.NewNode(100 + number, Kind.FILE, name(number), b"sealed"), content))
            found = await client.call(m.ReadContent(100 + number))
            assert found.content.small == small
        await client.leave()

    asyncio.run(scenario())


def test_many_requests_at_once_are_all_answered(hub: HubThread) -> None:
    async def scenario() -> None:
        client = await login(hub)
        replies = await asyncio.gather(*(client.change(new_file(number)) for number in range(200)))
        assert [reply.entry.id for reply in replies] == list(range(100, 300))
        assert len(await client.names()) == 200
        await client.leave()

    asyncio.run(scenario())


def test_a_lost_connection_is_noticed_and_its_session_resumed(hub: HubThread) -> None:
    async def scenario() -> None:
        client = await login(hub)
        client.change(new_file(1))
        client.close()
        await client.lost
        again = RawClient()
        await again.connect(WebSocketTransport(hub.url))
        welcome = await again.login(resume=client.welcome.session)
        assert welcome.resumed
        assert (await again.ask(new_file(1), seq=1)).entry.id == 101
        await again.leave()

    asyncio.run(scenario())


def test_text_and_oversized_messages_end_the_connection(hub: HubThread) -> None:
    for frame in (b"\x81\x85\0\0\0\0hello", b"\x82\xff" + (8 * 2**20).to_bytes(8, "big") + bytes(1000)):
        host, port = hub.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as raw:
            raw.sendall(
                f"GET /wire/v1 HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            received = raw.recv(4096)
            assert b"101" in received.partition(b"\r\n")[0]
            raw.sendall(frame)
            closed = received.partition(b"\r\n\r\n")[2]
            while not closed:
                closed = raw.recv(4096)
            assert closed[0] == 0x88, "a close frame"


def test_an_orderly_stop_says_goodbye(tmp_path: Path) -> None:
    with serving(tmp_path / "hub") as hub:

        async def scenario() -> None:
            client = await login(hub)
            running = client.change(new_file(1))
            await client.settled()
            await asyncio.to_thread(hub.stop)
            assert (await running).entry.id == 101
            await client.lost
            assert [type(push) for push in client.pushes] == [m.Goodbye]

        asyncio.run(scenario())


def test_silence_over_a_socket_that_stays_open(tmp_path: Path) -> None:
    with serving(tmp_path / "hub", HubSettings(session_limit_s=0.2)) as hub:

        async def scenario() -> None:
            client = await login(hub)
            await client.create(1)
            await client.call(m.Lock(9, 101, 1, LockMode.EXCLUSIVE))
            await client.lost
            assert [type(push) for push in client.pushes] == [m.Expired]
            other = await login(hub)
            await other.call(m.Lock(10, 101, 1, LockMode.EXCLUSIVE, wait_ms=60_000))
            await other.leave()

        asyncio.run(scenario())


# --- the gateway ------------------------------------------------------------------------------------------------


@pytest.fixture
def grants(hub: HubThread) -> Callable[[int, bool], str]:
    """Makes URLs as a client gets them."""

    def make(object: int, put: bool) -> str:
        async def scenario() -> str:
            client = await login(hub)
            url: str = (await client.call(m.GrantObjects([object], put))).grants[0].url
            await client.leave()
            return url

        return asyncio.run(scenario())

    return make


def test_bytes_go_in_and_come_out_by_ranges(hub: HubThread, grants: Callable[[int, bool], str]) -> None:
    data = os.urandom(300_000)
    put = grants(7, True)
    assert put.startswith(hub.url)
    assert ask(put, "PUT", data)[0] == 200
    assert ask(put, "PUT", data)[0] == 200
    assert ask(put, "PUT", data[:-1] + b"x")[0] == 409
    get = grants(7, False)
    status, body, headers = ask(get, "GET", Range="bytes=100-199")
    assert (status, body, headers["Content-Range"]) == (206, data[100:200], "bytes 100-199/*")
    assert ask(get, "GET", Range="bytes=299999-300000")[0] == 416
    assert ask(get, "GET", Range="bytes=5-4")[0] == 416
    assert ask(get, "GET", Range="bytes=-5")[0] == 501
    assert ask(get, "GET")[0] == 404, "an object of no file has no known size"
    assert ask(grants(8, False), "GET", Range="bytes=0-1")[0] == 404


def test_objects_in_the_database_come_out_the_same_way(hub: HubThread, grants: Callable[[int, bool], str]) -> None:
    data = os.urandom(40)

    async def scenario() -> None:
        client = await login(hub)
        extent = m.Extent(0, 1, 101, 0, 7, 55, 0, [len(data)])
        content = m.NewContent(10, 7, b"m" * 16, [extent], b"", [m.NewObject(55, len(data), data)])
        await client.call(m.Create(ROOT, m.NewNode(101, Kind.FILE, name(1), b"sealed"), content))
        await client.leave()

    asyncio.run(scenario())
    get = grants(55, False)
    assert ask(get, "GET", Range="bytes=1-3")[:2] == (206, data[1:4])
    assert ask(get, "GET")[:2] == (200, data)
    assert ask(get, "GET", Range="bytes=1-40")[0] == 416


def test_a_url_opens_one_object_for_one_method_for_a_while(hub: HubThread, grants: Callable[[int, bool], str]) -> None:
    data = b"0123456789"
    assert ask(grants(7, True), "PUT", data)[0] == 200
    get = grants(7, False)
    said = set()
    other_object = get.replace("/0000000000000007?", "/0000000000000008?")
    other_filespace = get.replace(f"/{FILESPACE:016x}/", f"/{FILESPACE + 1:016x}/")
    longer = get.replace("expires=1", "expires=2")
    tampered = get[:-1] + ("0" if get[-1] != "0" else "1")
    unsigned = get.partition("?")[0]
    forged = sign_url(b"k" * 32, hub.url, "GET", ObjectName(FilespaceId(FILESPACE), ObjectId(7)), 2**40)
    ended = sign_url(hub.hub.signing_key, hub.url, "GET", ObjectName(FilespaceId(FILESPACE), ObjectId(7)), 1)
    for url in (other_object, other_filespace, longer, tampered, unsigned, forged, ended):
        assert url != get
        status, body, _ = ask(url, "GET", Range="bytes=0-3")
        assert status == 403, url
        said.add(body)
    for url, method in ((get, "PUT"), (grants(7, True), "GET")):
        status, body, _ = ask(url, method, data)
        assert status == 403
        said.add(body)
    assert len(said) == 1, "a refusal says nothing more"
    assert ask(get, "GET", Range="bytes=0-3")[:2] == (206, b"0123")


def test_uploads_are_bounded_and_all_or_nothing(
    hub: HubThread, grants: Callable[[int, bool], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway, "OBJECT_BYTES_MAX", 1000)
    put = grants(7, True)
    assert ask(put, "PUT", bytes(1001))[0] == 413
    assert ask(put, "PUT", None, **{"Transfer-Encoding": "chunked"})[0] == 400
    parts = urllib.parse.urlsplit(put)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20) as raw:
        raw.sendall(f"PUT {parts.path}?{parts.query} HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\nhalf".encode())
    assert ask(grants(7, False), "GET", Range="bytes=0-3")[0] == 404
    assert ask(put, "PUT", bytes(1000))[0] == 200


def test_who_may_only_read_gets_no_url_to_put(hub: HubThread) -> None:
    async def scenario() -> None:
        client = RawClient()
        await client.connect(WebSocketTransport(hub.url))
        await client.login(12)
        with refused(Code.DENIED):
            await client.call(m.GrantObjects([7], True))
        with refused(Code.TOO_MANY):
            await client.call(m.GrantObjects(list(range(1, 300))))
        with refused(Code.INVALID):
            await client.call(m.GrantObjects([-1]))
        await client.leave()

    asyncio.run(scenario())


def test_a_store_that_fails_is_a_passing_error(
    hub: HubThread, grants: Callable[[int, bool], str], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*arguments: object) -> bytes:
        raise OSError("the disk is on fire")

    get = grants(7, False)
    hub.hub.store.get = broken  # type: ignore[assignment, method-assign]
    with caplog.at_level(logging.ERROR):
        status, body, _ = ask(get, "GET", Range="bytes=0-3")
    assert (status, b"fire" in body) == (503, False)


# --- the rest ---------------------------------------------------------------------------------------------------


def test_health_and_metrics_need_no_login_and_name_nobody(hub: HubThread) -> None:
    async def scenario() -> None:
        client = await login(hub)
        await client.create(1)
        await client.call(m.Lock(9, 101, 1, LockMode.EXCLUSIVE))
        await client.leave()

    asyncio.run(scenario())
    status, body, _ = ask(f"{hub.url}/healthz", "GET")
    assert (status, json.loads(body)) == (200, {"serving": True})
    status, body, headers = ask(f"{hub.url}/metrics", "GET")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain")
    text = body.decode()
    for line in (
        'lucid_requests_total{message="Create",outcome="done"} 1.0',
        'lucid_logins_total{outcome="opened"} 1.0',
        "lucid_locks_held 1.0",
        "lucid_sessions 1.0",
    ):
        assert line in text
    for secret in ("account11", "space3", "demo"):
        assert secret not in text


def test_the_hub_serves_the_management_api(hub: HubThread) -> None:
    assert ask(f"{hub.url}/api/v1/openapi.json", "GET")[0] == 200
    assert ask(f"{hub.url}/api/v1/filespaces", "GET")[0] == 401


def test_bootstrap_makes_one_workspace_once(tmp_path: Path) -> None:
    hub, token = new_hub(tmp_path)
    try:
        assert refusal_of(tmp_path) is Code.UNAVAILABLE
    finally:
        hub.stop()
    assert is_bootstrapped(tmp_path / "hub")
    assert not is_bootstrapped(tmp_path / "nothing")
    keys = AccountKeys(Token.parse(token))
    with refused(Code.EXISTS):
        bootstrap(
            tmp_path / "hub", "again", "admin", keys.key_id, keys.login_public, keys.sealing_public,
            clock=hub.hub.clock, random=os.urandom,
        )  # fmt: skip


def refusal_of(folder: Path) -> Code | None:
    try:
        is_bootstrapped(folder / "hub")
    except Fault as fault:
        return fault.code
    return None


def test_clients_that_vanish_during_their_handshake_are_no_error(hub: HubThread) -> None:
    """The reset arrives together with the request: the hub answers into a line that is closed already."""
    parts = urllib.parse.urlsplit(hub.url)
    assert parts.hostname is not None
    assert parts.port is not None
    address = (parts.hostname, parts.port)
    sockets = [socket.create_connection(address) for _ in range(20)]
    held = threading.Event()

    async def hold(_: object) -> None:
        held.set()
        time.sleep(0.2)  # on the hub's loop: request and reset are both there when it looks

    holding = threading.Thread(target=lambda: hub.run(hold))
    holding.start()
    held.wait()
    for one in sockets:
        one.sendall(
            b"GET /wire/v1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # close with a reset
        one.close()
    holding.join()
    asyncio.run(login_and_leave(hub))  # whoever comes next is served; what the hub logged meanwhile fails the test


async def login_and_leave(hub: HubThread) -> None:
    await (await login(hub)).leave()
