"""Those who are in, or hold something that lets others in: tokens, roles and signed URLs, each bent every way.

A read-only account tries every change by raw messages, because its SDK might be one that does not ask the hub's leave.
"""

from __future__ import annotations

import itertools
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import lucidlink
from lucidfs import identity
from lucidfs.crypto.account import AccountKeys
from lucidfs.crypto.token import Token
from lucidfs.errors import Code
from lucidfs.hub.settings import HubSettings
from lucidfs.objects.base import ObjectName
from lucidfs.objects.signing import sign_url
from lucidfs.testing.hubs import HubThread, new_hub
from lucidfs.types import FilespaceId, Kind, LockMode, ObjectId, Role
from lucidfs.wire import messages as m
from tests.hostile.raw import Closed, Refused, Wire, logged_in, serving
from tests.hostile.test_fuzz_wire import FILE, FOLDER, LARGE, OBJECT, PREPARED, SMALL, STORED, WAIT
from tests.hub_rig import ADMIN, FILESPACE, KEYS, OTHER_FILESPACE, READER, ROOT, name
from tests.world import World

CHANGES: list[m.Message] = [
    m.Create(ROOT, m.NewNode(500, Kind.FILE, name(50), b"sealed"), SMALL, WAIT),
    m.Create(ROOT, m.NewNode(500, Kind.FOLDER, name(50), b"sealed")),
    m.Create(ROOT, m.NewNode(500, Kind.LINK, name(50), b"sealed", b"target")),
    m.CreateFolders(ROOT, [m.NewNode(500, Kind.FOLDER, name(50), b"sealed")]),
    m.Delete(m.Path(ROOT, [name(1)])),
    m.Delete(m.Path(ROOT, [name(2)]), True, True),
    m.Move(FILE, ROOT, name(1), FOLDER, name(1), b"sealed"),
    m.Commit(FILE, 1, SMALL),
    m.Commit(FILE, 0, SMALL, True, [], [], m.Wait(0, [900])),
    m.Commit(LARGE, 1, STORED, False, [(0, 1)]),
    m.Lock(900, FILE, 4, LockMode.EXCLUSIVE),
    m.Reserve(ROOT, name(50)),
    m.Unreserve(ROOT, name(50)),
    m.GrantObjects([OBJECT], True),
    m.AddDataStore(m.DataStore(21, "films", "key", "bucket", "us-east-1"), "secret"),
    m.RekeyDataStore("films", "key", "secret"),
    m.RemoveDataStore("films"),
    m.LinkFiles([m.NewLink(ROOT, m.NewNode(500, Kind.EXTERNAL, name(50), b"sealed"), 21, "key", 9)]),
    m.Relink(FILE, "key", 9),
    m.GetDataStore("films"),
    m.SignHead("films", "key"),
]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubThread]:
    settings = HubSettings(failed_logins_max=10**6)
    with serving(tmp_path_factory.mktemp("access") / "hub", settings) as found:
        with logged_in(found) as wire:
            for body in PREPARED:
                wire.ask(body)
        yield found


def seen(hub: HubThread) -> list[m.Message]:
    """All that an admin can see of the filespace."""
    with logged_in(hub) as wire:
        asks: list[m.Message] = [m.ListFolder(ROOT), m.ReadContent(FILE), m.ReadContent(LARGE), m.GetStatistics()]
        return [wire.ask(ask) for ask in (*asks, m.ListLocks(0))]


# --- roles ----------------------------------------------------------------------------------------------------------


def test_every_change_is_among_those_that_a_reader_tries() -> None:
    tried = {type(body) for body in CHANGES}
    assert tried >= {kind for kind, call in m.REQUESTS.items() if call.change} - {m.Unlock}


@pytest.mark.parametrize("body", CHANGES, ids=lambda body: type(body).__name__)
def test_a_reader_changes_nothing_whatever_it_sends(hub: HubThread, body: m.Message) -> None:
    before = seen(hub)
    with logged_in(hub, READER) as wire:
        for seq in (None, 77):
            with pytest.raises(Refused) as refused:
                wire.ask(body, seq=seq)
            assert refused.value.code is Code.DENIED
        wire.ask(m.Lock(901, FILE, 4, LockMode.SHARED))
        wire.ask(m.Unlock(FILE, 4))
    assert seen(hub) == before


LOOKS: list[m.Message] = [m.ReadContent(FILE), m.ListFolder(ROOT), m.Walk(m.Path(ROOT)), m.ReadExtents(LARGE, 1, -1)]
LOOKS.append(m.Lock(902, FILE, 4, LockMode.SHARED))


@pytest.mark.parametrize("body", [*CHANGES[:8], CHANGES[9], *LOOKS], ids=lambda body: type(body).__name__)
def test_a_session_of_another_filespace_reaches_nothing_of_this_one(hub: HubThread, body: m.Message) -> None:
    before = seen(hub)
    with logged_in(hub, ADMIN, OTHER_FILESPACE) as wire:
        with pytest.raises(Refused) as refused:
            wire.ask(body)
        assert refused.value.code is Code.NOT_FOUND
    assert seen(hub) == before


def test_a_tree_of_another_filespace_is_not_there(hub: HubThread) -> None:
    with logged_in(hub, ADMIN, OTHER_FILESPACE) as wire:
        told = wire.ask(m.ListTree([ROOT, FOLDER, FILE, ROOT + 1000]))
        assert isinstance(told, m.Listings)
        assert [each.listing is None for each in told.listings] == [True, True, True, False]


def test_an_object_of_another_filespace_cannot_be_taken_over(hub: HubThread) -> None:
    """Neither by bringing it again, nor by pointing an extent at it, nor by a URL made for the own filespace."""
    root = ROOT + 1000
    node = m.NewNode(600, Kind.FILE, name(60), b"sealed")
    theirs = m.Extent(0, 1, 600, 0, 7, OBJECT, 0, [40])
    with logged_in(hub, ADMIN, OTHER_FILESPACE) as wire:
        for objects, code in (([m.NewObject(OBJECT, 40, b"x" * 40)], Code.INVALID), ([], Code.STALE)):
            with pytest.raises(Refused) as refused:
                wire.ask(m.Create(root, node, m.NewContent(10, 7, b"m" * 16, [theirs], b"", objects)))
            assert refused.value.code is code
        url = wire.ask(m.GrantObjects([OBJECT])).grants[0].url
    assert fetch(url) == 404


@pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"s" * 63, b"s" * 65, b"s" * 100_000])
def test_a_signature_that_is_none(hub: HubThread, signature: bytes) -> None:
    with Wire(hub.url) as wire, pytest.raises(Refused) as refused:
        wire.log_in(*KEYS[ADMIN], FILESPACE, signature=signature)
    assert refused.value.code is Code.UNAUTHENTICATED


def test_the_session_of_another_account_cannot_be_resumed(hub: HubThread) -> None:
    with logged_in(hub) as victim, Wire(hub.url) as thief:
        key_id, seed = KEYS[READER]
        session = victim.welcome.session
        challenge = thief.ask(m.Hello(1, key_id, b"n" * 32, FILESPACE, session, list(range(100))))
        transcript = identity.login_transcript(1, key_id, b"n" * 32, challenge.nonce, FILESPACE, session)
        welcome = thief.ask(m.Login(identity.sign(seed, transcript)))
        assert (welcome.resumed, welcome.replies) == (False, [])
        assert welcome.session != session
        assert victim.ask(m.Heartbeat()) == m.Done()


# --- tokens ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    hub, token = new_hub(tmp_path_factory.mktemp("hub"), settings=HubSettings(failed_logins_max=10**6))
    try:
        yield World(hub, token)
    finally:
        hub.stop()


def bent(token: str) -> Iterator[str]:
    """The token with one thing wrong."""
    start, key_id, secret = token.split(":")
    yield from ("", ":", "::", "sa_live", token[:-1], token + "A", token * 2, f"sa_test:{key_id}:{secret}")
    yield from (
        f"{start}:{key_id.upper()}:{secret}",
        f"{start}:{key_id}:{secret[:-1]}é",
        f"{start}:{key_id}:",
        "\0" * 70,
    )
    yield from (
        "\0" * 70,
        f"{start}:{key_id[:-1]}:{secret}",
        f"{start}:{key_id}:{'=' * 43}",
        f"{token}\n{token}",
        "\ud800" * 60,
    )


def refused_by_sdk(world: World, token: str) -> Exception:
    """What the SDK raises for a token; the secret must not be in it."""
    with lucidlink.create_daemon(config={"hub.url": world.url}) as daemon:
        with pytest.raises((OSError, ValueError)) as caught:
            daemon.authenticate(lucidlink.ServiceAccountCredentials(token=token)).link_filespace(name=world.name)
    secret = world.token.rpartition(":")[2]
    assert secret not in repr(caught.value)
    assert secret[:-1] not in str(caught.value)
    return caught.value


def test_malformed_tokens_are_told_without_their_secret(world: World) -> None:
    for token in bent(world.token):
        assert isinstance(refused_by_sdk(world, token), ValueError), token


def test_foreign_revoked_and_forged_tokens_are_told_the_same(world: World) -> None:
    revoked = world.new_account(Role.WRITE, "revoked")
    administration = world.administration()
    administration.revoke("revoked")
    administration.close()
    start, key_id, _ = world.token.split(":")
    foreign = Token.generate(os.urandom).text()
    forged = f"{start}:{key_id}:{foreign.rpartition(':')[2]}"
    errors = [refused_by_sdk(world, token) for token in (foreign, revoked, forged)]
    assert len({str(error) for error in errors}) == 1
    assert all(isinstance(error, PermissionError) for error in errors)


def test_a_revoked_account_is_refused_on_the_wire_too(world: World) -> None:
    token = world.new_account(Role.WRITE, "short-lived")
    administration = world.administration()
    (filespace,) = [each.id for each in administration.filespaces() if each.name == world.name]
    with Wire(world.url) as wire:
        root = wire.log_in_with(token, int(filespace, 16)).root
        administration.revoke("short-lived")
        administration.close()
        with pytest.raises((Refused, Closed)):
            wire.ask(m.Create(root, m.NewNode(500, Kind.FILE, name(50), b"sealed")))
    keys = AccountKeys(Token.parse(token))
    with Wire(world.url) as wire, pytest.raises(Refused) as refused:
        wire.log_in_with(token, int(filespace, 16))
    assert refused.value.code is Code.UNAUTHENTICATED
    assert keys.key_id not in refused.value.message


# --- signed URLs ----------------------------------------------------------------------------------------------------


def fetch(url: str, method: str = "GET", body: bytes | None = None) -> int:
    request = urllib.request.Request(url, body, {"Range": "bytes=0-3"} if method == "GET" else {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_url_with_any_character_changed_opens_nothing(hub: HubThread) -> None:
    with logged_in(hub) as wire:
        url: str = wire.ask(m.GrantObjects([OBJECT])).grants[0].url
    assert fetch(url) == 206
    start = url.index("/objects/") + len("/objects/")
    for place in range(start, len(url)):
        if url[place] not in "/?&=":
            changed = url[:place] + ("1" if url[place] != "1" else "2") + url[place + 1 :]
            assert fetch(changed) in (403, 404), changed  # 404: no such path at all
    for suffix in ("0", "&signature=0", "&expires=9999999999", "%00", "/../"):
        assert fetch(url + suffix) in (206, 403), suffix
    assert fetch(url.partition("&signature")[0]) == 403
    assert fetch(url.replace("expires=", "expires=0")) == 403


def test_a_url_is_for_its_method_only(hub: HubThread, tmp_path: Path) -> None:
    with logged_in(hub) as wire:
        get, put = (wire.ask(m.GrantObjects([77], put)).grants[0].url for put in (False, True))
    for url, method in itertools.product((get, put), ("GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS")):
        allowed = (url, method) in ((get, "GET"), (put, "PUT"))
        assert (fetch(url, method, b"data" if method == "PUT" else None) in (200, 206, 404)) is allowed, (method, url)


def test_a_url_ends(hub: HubThread) -> None:
    target = ObjectName(FilespaceId(FILESPACE), ObjectId(OBJECT))
    now = hub.hub.clock.now_ns() // 10**9
    for expires, status in ((now + 100, 206), (now - 1, 403), (0, 403), (-1, 403)):
        assert fetch(sign_url(hub.hub.signing_key, hub.url, "GET", target, expires)) == status
    assert fetch(sign_url(b"k" * 32, hub.url, "GET", target, now + 100)) == 403


OUTSIDE = ["../hub.sqlite", "%2e%2e/hub.sqlite", "..%2f..%2fetc/passwd", "/etc/passwd", "0000000000000003/%00", "3/55"]


@pytest.mark.parametrize("path", OUTSIDE)
def test_no_path_leads_out_of_the_store(hub: HubThread, path: str) -> None:
    for method in ("GET", "PUT"):
        assert fetch(f"{hub.url}/objects/{path}", method, b"x" if method == "PUT" else None) in (400, 403, 404)
