"""Challenges and bearers: used once, ended by time, the same words for every reason."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lucidfs import identity
from lucidfs.errors import Code, Fault
from lucidfs.hub.bearers import Bearers, account_of
from lucidfs.hub.database.base import AccountRow, WorkspaceRow
from lucidfs.hub.database.sqlite import SqliteDatabase
from lucidfs.limits import CHALLENGES_MAX, HANDSHAKE_S, LOGIN_S
from lucidfs.wire.management import BeginLogin, FinishLogin

SEED = bytes(range(32))
KEY_ID = "00000000000000aa"


class StillClock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now_ns(self) -> int:
        return int(self.seconds * 1e9)

    def monotonic_s(self) -> float:
        return self.seconds


class World:
    def __init__(self, path: Path) -> None:
        self.clock = StillClock()
        numbers = itertools.count(1)
        self.bearers = Bearers(self.clock, lambda count: next(numbers).to_bytes(count, "big"))
        self.database = SqliteDatabase(path, durable=False)
        self.row = AccountRow(7, 1, "ann", KEY_ID, identity.public_key(SEED), bytes(32), False, 1)
        tx = self.database.begin()
        tx.insert_workspace(WorkspaceRow(1, "main", 1))
        tx.insert_account(self.row)
        self.database.commit()

    def update(self, row: AccountRow) -> None:
        self.database.begin().update_account(row)
        self.database.commit()

    def answer(self, key_id: str = KEY_ID, seed: bytes = SEED, nonce: bytes = b"c" * 32) -> FinishLogin:
        challenge = self.bearers.challenge(BeginLogin(version=1, key_id=key_id, nonce=nonce))
        signature = identity.sign(seed, identity.management_transcript(1, key_id, nonce, challenge))
        return FinishLogin(version=1, key_id=key_id, nonce=nonce, challenge=challenge, signature=signature)

    def login(self, request: FinishLogin) -> str:
        with self.database.read() as tx:
            bearer, account = self.bearers.login(tx, request)
        assert account.name == "ann"
        return bearer


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "hub.sqlite")
    yield world
    world.database.close()


def refused(world: World, request: FinishLogin) -> str:
    with pytest.raises(Fault) as refusal:
        world.login(request)
    assert refusal.value.code is Code.UNAUTHENTICATED
    return refusal.value.message


def test_a_signed_challenge_gives_a_bearer(world: World) -> None:
    bearer = world.login(world.answer())
    assert world.bearers.find(bearer).account == 7
    world.bearers.end(bearer)
    with pytest.raises(Fault) as refusal:
        world.bearers.find(bearer)
    assert refusal.value.code is Code.UNAUTHENTICATED


def test_a_challenge_works_once(world: World) -> None:
    request = world.answer()
    world.login(request)
    refused(world, request)


def test_a_challenge_ends(world: World) -> None:
    request = world.answer()
    world.clock.seconds += HANDSHAKE_S
    refused(world, request)


def test_every_failed_login_gets_the_same_words(world: World) -> None:
    made_up = world.answer()
    revoked = world.row._replace(id=8, name="bob", key_id="00000000000000bb", revoked_ns=5)
    world.database.begin().insert_account(revoked)
    world.database.commit()
    words = {
        refused(world, world.answer(seed=bytes(32))),  # wrong signature
        refused(world, world.answer(key_id="ffffffffffffffff")),  # unknown account
        refused(world, world.answer(key_id="00000000000000bb")),  # revoked account
        refused(world, msgspec.structs.replace(made_up, challenge=b"x" * 32)),  # never asked for
        refused(world, msgspec.structs.replace(world.answer(), nonce=b"d" * 32)),  # of another nonce
    }
    assert len(words) == 1


def test_a_version_that_nobody_speaks_is_named(world: World) -> None:
    with pytest.raises(Fault) as refusal:
        world.bearers.challenge(BeginLogin(version=99, key_id=KEY_ID, nonce=b"c" * 32))
    assert refusal.value.code is Code.VERSION
    assert "version 1" in refusal.value.message


def test_a_bearer_ends_by_itself(world: World) -> None:
    bearer = world.login(world.answer())
    world.clock.seconds += LOGIN_S - 1
    world.bearers.find(bearer)
    world.clock.seconds += 1
    with pytest.raises(Fault):
        world.bearers.find(bearer)


@pytest.mark.parametrize("change", [{"revoked_ns": 9}, {"key_id": "00000000000000cc"}])
def test_a_bearer_is_worthless_once_its_account_is_revoked_or_rotated(world: World, change: dict[str, object]) -> None:
    login = world.bearers.find(world.login(world.answer()))
    with world.database.read() as tx:
        assert account_of(tx, login).name == "ann"
    world.update(world.row._replace(**change))  # type: ignore[arg-type]
    with world.database.read() as tx, pytest.raises(Fault) as refusal:
        account_of(tx, login)
    assert refusal.value.code is Code.UNAUTHENTICATED


def test_unanswered_challenges_are_bounded(world: World) -> None:
    first = world.answer()
    for _ in range(CHALLENGES_MAX):
        world.bearers.challenge(BeginLogin(version=1, key_id=KEY_ID, nonce=b"c" * 32))
    refused(world, first)
    world.login(world.answer())
