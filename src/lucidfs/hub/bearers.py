"""Management logins: a challenge answered once by a signature gives a bearer that ends by itself. In memory only.

An unknown key id, a wrong signature and a revoked account take the same steps and get the same words. A bearer is
judged anew with each request: it is worth nothing as soon as its account is revoked or has another key.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from lucidfs import identity
from lucidfs.clock import Clock
from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import AccountRow, Tx
from lucidfs.limits import CHALLENGES_MAX, CHALLENGES_PER_ADDRESS_MAX, HANDSHAKE_S, LOGIN_S, LOGINS_MAX
from lucidfs.wire.management import BeginLogin, FinishLogin
from lucidfs.wire.messages import PROTOCOL_VERSION

# What an unknown account's signature is checked against, so that it takes as long as a known one's.
_NOBODY = identity.public_key(bytes(32))


class _Challenge(NamedTuple):
    key_id: str
    nonce_c: bytes
    ends_s: float  # monotonic
    address: str


class Login(NamedTuple):
    """Who a bearer speaks for."""

    account: int
    key_id: str
    ends_s: float  # monotonic


class Bearers:
    """Challenges and bearers of one hub. Runs on the hub's loop only.

    Args:
        clock: tells when they end.
        random: source of random bytes.
    """

    def __init__(self, clock: Clock, random: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._random = random
        self._challenges: OrderedDict[bytes, _Challenge] = OrderedDict()
        self._logins: OrderedDict[bytes, Login] = OrderedDict()  # by digest: a dump of this shows no bearer

    def challenge(self, request: BeginLogin, address: str = "") -> bytes:
        """A nonce to sign, for known and unknown key ids alike. Raises Fault(VERSION).

        One address pushes out its own challenges only, before all together fill the table.
        """
        _check_version(request.version)
        own = [nonce for nonce, each in self._challenges.items() if each.address == address]
        if len(own) >= CHALLENGES_PER_ADDRESS_MAX:
            del self._challenges[own[0]]
        nonce = self._random(identity.NONCE_BYTES)
        ends_s = self._clock.monotonic_s() + HANDSHAKE_S
        self._challenges[nonce] = _Challenge(request.key_id, request.nonce, ends_s, address)
        _shrink(self._challenges, CHALLENGES_MAX)
        return nonce

    def login(self, tx: Tx, request: FinishLogin) -> tuple[str, AccountRow]:
        """A bearer for the account that signed the challenge. Raises Fault(VERSION, UNAUTHENTICATED)."""
        _check_version(request.version)
        challenge = self._challenges.pop(request.challenge, None)
        account = tx.account_by_key(request.key_id)
        transcript = identity.management_transcript(request.version, request.key_id, request.nonce, request.challenge)
        public = account.login_public if account is not None else _NOBODY
        signed = identity.verify(public, request.signature, transcript)
        now = self._clock.monotonic_s()
        asked = challenge is not None and (challenge.key_id, challenge.nonce_c) == (request.key_id, request.nonce)
        in_time = challenge is not None and now < challenge.ends_s
        if account is None or account.revoked_ns or not (signed and asked and in_time):
            raise Fault(Code.UNAUTHENTICATED, "the token is not valid here")
        bearer = self._random(32).hex()
        self._logins[_digest(bearer)] = Login(account.id, account.key_id, now + LOGIN_S)
        _shrink(self._logins, LOGINS_MAX)
        return bearer, account

    def find(self, bearer: str) -> Login:
        """The login behind a bearer. Raises Fault(UNAUTHENTICATED)."""
        digest = _digest(bearer)
        login = self._logins.get(digest)
        if login is not None and self._clock.monotonic_s() < login.ends_s:
            return login
        self._logins.pop(digest, None)
        raise Fault(Code.UNAUTHENTICATED, "log in again: this login ended or never was")

    def end(self, bearer: str) -> None:
        """Forget a bearer."""
        self._logins.pop(_digest(bearer), None)


def account_of(tx: Tx, login: Login) -> AccountRow:
    """The account that a login speaks for, as it is in this transaction. Raises Fault(UNAUTHENTICATED)."""
    account = tx.account(login.account)
    if account is None or account.revoked_ns or account.key_id != login.key_id:
        raise Fault(Code.UNAUTHENTICATED, "the account was revoked or has a new token")
    return account


def _check_version(version: int) -> None:
    if version != PROTOCOL_VERSION:
        raise Fault(Code.VERSION, f"this hub speaks version {PROTOCOL_VERSION}")


def _digest(bearer: str) -> bytes:
    return hashlib.sha256(bearer.encode("utf-8", "surrogateescape")).digest()


def _shrink(table: OrderedDict[bytes, _Challenge] | OrderedDict[bytes, Login], limit: int) -> None:
    while len(table) > limit:
        table.popitem(last=False)
