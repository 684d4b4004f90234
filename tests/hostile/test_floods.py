"""Those who take much and give nothing: too much at once, too slowly, or without ever listening.

Each time another client is served meanwhile: a flood is its sender's problem.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest

from lucidfs import identity
from lucidfs.errors import Code
from lucidfs.hub import api, gateway, web
from lucidfs.hub.settings import HubSettings
from lucidfs.limits import CHALLENGES_MAX, MESSAGE_BYTES_MAX, REQUESTS_IN_FLIGHT_MAX
from lucidfs.testing.hubs import HubThread
from lucidfs.types import Kind, LockMode
from lucidfs.wire import messages as m
from tests.hostile.raw import PING, Closed, Refused, Wire, head, logged_in, serving
from tests.hub_rig import ADMIN, FILESPACE, KEYS, ROOT, name, new_file

SHORT_S = 0.3


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[HubThread]:
    with serving(tmp_path / "hub", HubSettings(handshake_s=SHORT_S)) as found:
        yield found


def raw(hub: HubThread, data: bytes) -> socket.socket:
    """A bare connection on which something was said."""
    parts = urlsplit(hub.url)
    found = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=30)
    found.sendall(data)
    return found


def ended(connection: socket.socket) -> bytes:
    """What the hub still says before it ends a connection; a test that waits here for ever fails by its time limit."""
    received = b""
    try:
        while data := connection.recv(65_536):
            received += data
    except ConnectionError:
        pass
    finally:
        connection.close()
    return received


def status(connection: socket.socket) -> bytes:
    """The first line of an answer."""
    with connection, connection.makefile("rb") as stream:
        return stream.readline()


def served(hub: HubThread) -> None:
    """Assert that others are served."""
    with logged_in(hub) as wire:
        assert wire.ask(m.Walk(m.Path(ROOT))).entries


# --- too slowly -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [b"", b"GET", b"GET /wire/v1 HTTP/1.1\r\nHost: x\r\nX-Slow:", b"\x16\x03\x01"])
def test_half_a_head_does_not_hold_a_connection(hub: HubThread, said: bytes) -> None:
    slow = [raw(hub, said) for _ in range(20)]
    served(hub)
    for connection in slow:
        assert b"200" not in ended(connection)


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_half_a_handshake_does_not_hold_a_connection(hub: HubThread, steps: int) -> None:
    slow = [Wire(hub.url) for _ in range(20)]
    for wire in slow:
        if steps:
            wire.ask(m.Hello(1, KEYS[ADMIN][0], b"n" * 32, FILESPACE))
        if steps > 1:
            wire.send_raw(head(100, 2) + b"half a frame")
    served(hub)
    for wire in slow:
        wire.until_closed()
        wire.close()


def test_a_drop_at_a_time_is_too_slow_as_well(hub: HubThread) -> None:
    stop = threading.Event()
    wire = Wire(hub.url)

    def drip() -> None:
        try:
            while not stop.wait(SHORT_S / 10):
                wire.send(b"", PING)
        except Closed:
            pass

    thread = threading.Thread(target=drip)
    thread.start()
    try:
        wire.until_closed()
    finally:
        stop.set()
        thread.join()
        wire.close()
    served(hub)


def test_a_body_that_does_not_come_gives_its_room_back(hub: HubThread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "STORE_READ_TIMEOUT_S", SHORT_S)
    monkeypatch.setattr(gateway, "UPLOAD_BYTES_PER_S_MIN", 2**40)
    monkeypatch.setattr(api, "MANAGEMENT_BODY_S", SHORT_S)
    with logged_in(hub) as wire:
        grants = wire.ask(m.GrantObjects(list(range(1, 7)), True)).grants
        paths = [grant.url.removeprefix(hub.url) for grant in grants]
    length = b"Host: x\r\nContent-Length: %d\r\n\r\n" % (64 * 2**20)
    slow = [
        raw(hub, f"PUT {path} HTTP/1.1\r\n".encode() + length) for path in paths[:-1]
    ]  # more than there is room for
    body = os.urandom(1000)
    with urllib.request.urlopen(urllib.request.Request(hub.url + paths[-1], body, method="PUT"), timeout=30) as answer:
        assert answer.status == 200
    for connection in slow:
        assert b" 503 " in status(connection)
    login = raw(hub, b"POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    assert b" 400 " in status(login)


# --- too much -------------------------------------------------------------------------------------------------------


def test_an_oversized_message_is_not_even_read(hub: HubThread) -> None:
    with logged_in(hub) as wire:
        wire.send_raw(head(MESSAGE_BYTES_MAX + 1, 2))
        assert not wire.until_closed()
    with logged_in(hub) as wire:  # in pieces, none of them too large
        try:
            wire.send(bytes(1000), final=False)
            for _ in range(MESSAGE_BYTES_MAX // 2**20 + 1):
                wire.send(bytes(2**20), 0, final=False)
        except Closed:
            pass
        assert not wire.until_closed()
    served(hub)


def test_more_requests_at_once_than_allowed_are_refused_one_by_one(hub: HubThread) -> None:
    with logged_in(hub) as holder, logged_in(hub) as wire:
        holder.ask(new_file(1))
        holder.ask(m.Lock(1, 101, 1, LockMode.EXCLUSIVE))
        wish = m.Lock(0, 101, 2, LockMode.EXCLUSIVE, wait_ms=3_600_000)
        for number in range(REQUESTS_IN_FLIGHT_MAX + 50):
            wire.begin(msgspec.structs.replace(wish, lock=number + 2))
        with pytest.raises(Refused) as refused:
            wire.ask(msgspec.structs.replace(wish, lock=9999))
        assert refused.value.code is Code.TOO_MANY
        holder.ask(m.Heartbeat())
    served(hub)


def test_a_flood_of_changes_leaves_nothing_half(hub: HubThread) -> None:
    with logged_in(hub) as wire:
        for number in range(2000):
            wire.begin(m.Create(ROOT, m.NewNode(10_000 + number, Kind.FILE, name(number), b"sealed")))
        served(hub)
        answers = [wire.message() for _ in range(2000)]
        refused = [answer for answer in answers if isinstance(answer, m.Failure)]
        assert {answer.code for answer in refused} <= {Code.TOO_MANY}
        assert wire.ask(m.GetStatistics()).files == 2000 - len(refused)


def test_who_asks_and_never_listens_is_cut_off(hub: HubThread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "OUTBOX_BYTES_MAX", 2**20)
    with logged_in(hub) as wire:
        content = m.NewContent(65_536, 7, b"m" * 16, [m.Extent(0, 1, 101, 0, 7, 0, 0, [60_000])], bytes(60_000))
        wire.ask(m.Create(ROOT, m.NewNode(101, Kind.FILE, name(1), b"sealed"), content))
        with pytest.raises(Closed):
            while True:
                wire.begin(m.ReadContent(101))
    served(hub)


# --- too often ------------------------------------------------------------------------------------------------------


def test_failed_logins_slow_the_address_down_on_every_door(tmp_path: Path) -> None:
    with serving(tmp_path / "hub", HubSettings(failed_logins_max=5)) as hub:
        with logged_in(hub) as friend:
            key_id, _ = KEYS[ADMIN]
            codes = []
            for number in range(8):
                with Wire(hub.url) as wire, pytest.raises(Refused) as refused:
                    wire.log_in(key_id if number % 2 else "f" * 16, b"guess" + bytes(27), FILESPACE)
                codes.append(refused.value.code)
            assert codes == [Code.UNAUTHENTICATED] * 5 + [Code.TOO_MANY] * 3
            login = b'{"version": 1, "key_id": "%s", "nonce": "%s="}' % (b"0" * 16, b"A" * 43)
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(f"{hub.url}/api/v1/login/challenge", login, timeout=30)
            with caught.value:
                assert caught.value.code == 429
            assert friend.ask(m.Heartbeat()) == m.Done()  # who is in stays in


def test_a_flood_of_challenges_does_not_push_out_those_of_others(hub: HubThread) -> None:
    parts = urlsplit(hub.url)
    key_id, seed = KEYS[ADMIN]
    nonce = base64.b64encode(bytes(32)).decode()
    begin = {"version": 1, "key_id": key_id, "nonce": nonce}

    def post(connection: http.client.HTTPConnection, path: str, body: dict[str, object]) -> tuple[int, dict[str, str]]:
        connection.request("POST", f"/api/v1{path}", json.dumps(body))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())

    with closing(http.client.HTTPConnection(parts.netloc, timeout=30)) as friend:
        challenge = post(friend, "/login/challenge", begin)[1]["nonce"]
        attacker = http.client.HTTPConnection(parts.netloc, timeout=30, source_address=("127.0.0.2", 0))
        with closing(attacker):
            for _ in range(CHALLENGES_MAX + 10):
                assert post(attacker, "/login/challenge", begin)[0] == 200
        transcript = identity.management_transcript(1, key_id, bytes(32), base64.b64decode(challenge))
        signature = base64.b64encode(identity.sign(seed, transcript)).decode()
        assert post(friend, "/login", {**begin, "challenge": challenge, "signature": signature})[0] == 200
