"""Who gets in: signatures, refusals that give nothing away, limits."""

from __future__ import annotations

from pathlib import Path

import pytest

from lucidfs import identity
from lucidfs.errors import Code
from lucidfs.hub import admission
from lucidfs.hub.settings import HubSettings
from lucidfs.types import Role
from lucidfs.wire import codec
from lucidfs.wire import messages as m
from tests.hub_rig import ADMIN, FILESPACE, KEYS, OTHER_FILESPACE, READER, REVOKED, ROOT, Rig, refused, run


def test_welcome_tells_what_the_client_needs(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        client = await rig.login()
        welcome = client.welcome
        assert (welcome.resumed, welcome.account, welcome.workspace_name) == (False, ADMIN, "demo")
        assert welcome.filespace is not None
        assert (welcome.filespace.id, welcome.filespace.role) == (FILESPACE, Role.ADMIN)
        assert (welcome.root, welcome.sealed_key) == (ROOT, b"sealed key")
        assert welcome.session_limit_ms == 10_000

    run(tmp_path, scenario)


def test_a_session_without_a_filespace_lists_filespaces_and_nothing_else(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        client = await rig.login(READER, 0)
        listed = await client.call(m.ListFilespaces())
        assert [(each.id, each.role) for each in listed.filespaces] == [(FILESPACE, Role.READ)]
        with refused(Code.DENIED):
            await client.call(m.GetStatistics())
        with refused(Code.DENIED):
            await client.call(m.Unlock(1, 1))

    run(tmp_path, scenario)


def test_wrong_unknown_and_revoked_get_the_same_words(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        words = []
        for trick in ({"seed": b"x" * 32}, {"key_id": "0123456789abcdef"}, {"account": REVOKED}):
            client = await rig.connect()
            with refused(Code.UNAUTHENTICATED) as said:
                await client.login(**trick)
            words += said
            await client.lost
        assert len(set(words)) == 1

    run(tmp_path, scenario)


def test_a_recorded_handshake_is_worth_nothing(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        victim = await rig.login()
        thief = await rig.connect()
        for frame in victim.sent:
            thief.send_frame(frame)
        await thief.lost
        assert rig.hub is not None
        assert len(rig.hub.sessions) == 1

    run(tmp_path, scenario)


def test_a_signature_is_for_one_filespace_and_one_session(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        client = await rig.connect()
        key_id, seed = KEYS[ADMIN]
        nonce = b"n" * 32
        challenge = await client.ask(m.Hello(1, key_id, nonce, FILESPACE))
        transcript = identity.login_transcript(1, key_id, nonce, challenge.nonce, OTHER_FILESPACE, 0)
        with refused(Code.UNAUTHENTICATED):
            await client.ask(m.Login(identity.sign(seed, transcript)))

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("account", "filespace", "code"),
    [(READER, OTHER_FILESPACE, Code.DENIED), (ADMIN, 999, Code.NOT_FOUND), (REVOKED, 999, Code.UNAUTHENTICATED)],
)
def test_which_filespace(tmp_path: Path, account: int, filespace: int, code: Code) -> None:
    async def scenario(rig: Rig) -> None:
        client = await rig.connect()
        with refused(code):
            await client.login(account, filespace)
        await client.lost

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (m.Heartbeat(), Code.UNAUTHENTICATED),
        (m.Login(b"s" * 64), Code.UNAUTHENTICATED),
        (m.Hello(99, "k", b"n" * 32), Code.VERSION),
        (m.Hello(1, "k", b"short"), Code.BAD_MESSAGE),
        (m.Hello(1, "k", b"n" * 32, -1), Code.BAD_MESSAGE),
        (m.Hello(1, "k", b"n" * 32, 0, 2**63), Code.BAD_MESSAGE),
        (m.Hello(1, "k", b"n" * 32, 0, 0, [2**63]), Code.BAD_MESSAGE),
        (m.Hello(1, "k" * 65, b"n" * 32), Code.BAD_MESSAGE),
    ],
)
def test_what_may_come_first(tmp_path: Path, body: m.Message, code: Code) -> None:
    async def scenario(rig: Rig) -> None:
        client = await rig.connect()
        with refused(code):
            await client.ask(body)
        await client.lost

    run(tmp_path, scenario)


def test_nothing_is_answered_before_the_welcome(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        client = await rig.connect()
        client.ask(await client.hello())
        with refused(Code.UNAUTHENTICATED):
            await client.ask(m.Heartbeat())

    run(tmp_path, scenario)


def test_a_second_handshake_on_one_connection_is_refused(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        client = await rig.login()
        with refused(Code.BAD_MESSAGE):
            await client.login()
        await client.settled()

    run(tmp_path, scenario)


def test_a_handshake_that_takes_too_long_is_cut(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        client = await rig.connect()
        await client.hello()
        await client.lost

    run(tmp_path, scenario, HubSettings(handshake_s=0.05))


def test_failed_logins_of_an_address_are_limited(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        for _ in range(3):
            client = await rig.connect("10.0.0.1")
            with refused(Code.UNAUTHENTICATED):
                await client.login(seed=b"x" * 32)
        client = await rig.connect("10.0.0.1")
        with refused(Code.TOO_MANY):
            await client.login()
        other = await rig.connect("10.0.0.2")
        await other.login()

    run(tmp_path, scenario, HubSettings(failed_logins_max=3))


def test_connections_of_an_address_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "CONNECTIONS_PER_ADDRESS_MAX", 2)

    async def scenario(rig: Rig) -> None:
        first, second = await rig.connect("10.0.0.1"), await rig.connect("10.0.0.1")
        third = await rig.connect("10.0.0.1")
        await third.lost
        await (await rig.connect("10.0.0.2")).login()
        first.close()
        await first.lost
        await second.login()  # the hub has heard of the loss by now
        await (await rig.connect("10.0.0.1")).login()

    run(tmp_path, scenario)


def test_what_is_no_message_ends_the_connection_and_an_unknown_one_does_not(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        client = await rig.login()
        unknown = client.ask(m.Heartbeat())  # takes an id, which the unknown message uses again
        await unknown
        answer = client.ask(m.Heartbeat())
        assert await answer == m.Done()
        client.send_frame(codec.encode(m.Request(77, 0, 0, m.Heartbeat()))[:-2] + b"\x91\xcd\x27\x0f")
        await client.settled()
        client.send_frame(b"\x91nonsense")
        await client.lost

    run(tmp_path, scenario)
