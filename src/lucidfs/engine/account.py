"""A service account that is logged in: who it is, what it may link. Holds no connection, so it may live for long."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from lucidfs.clock import Clock
from lucidfs.crypto.account import AccountKeys
from lucidfs.crypto.token import Token
from lucidfs.engine.engine import Engine
from lucidfs.engine.session import Session
from lucidfs.engine.settings import EngineSettings
from lucidfs.objects.base import ObjectStore
from lucidfs.types import AccountId, WorkspaceId
from lucidfs.wire.messages import FilespaceInfo, ListFilespaces
from lucidfs.wire.transport import Transport


class Surroundings(NamedTuple):
    """Everything that a client takes from outside: made anew in a forked child, replaced whole in a simulation."""

    transport: Transport
    clock: Clock
    random: Callable[[int], bytes]


class Account:
    """One account of one workspace, as the hub knew it when it logged in.

    Attributes:
        id, name: of the account.
        workspace_id, workspace_name: where it belongs.
    """

    def __init__(self, keys: AccountKeys, surroundings: Surroundings, software: str) -> None:
        self.id = AccountId(0)
        self.name = ""
        self.workspace_id = WorkspaceId(0)
        self.workspace_name = ""
        self._keys = keys
        self._around = surroundings
        self._software = software

    async def filespaces(self) -> list[FilespaceInfo]:
        """The filespaces that the account may link. Raises Fault as `login` does."""
        async with self.short_session() as session:
            reply = await session.call(ListFilespaces())
        filespaces: list[FilespaceInfo] = reply.filespaces
        return filespaces

    async def link(
        self,
        filespace: int,
        root_path: str = "/",
        settings: EngineSettings | None = None,
        *,
        store: ObjectStore | None = None,
    ) -> Engine:
        """Link a filespace.

        Args:
            filespace: its id.
            root_path: the folder in it that becomes the root of what the program sees.
            settings: choices for this link.
            store: where objects are; None: wherever the hub's signed URLs lead.

        Raises:
            Fault: NOT_FOUND or NOT_A_FOLDER (filespace or root path), DENIED, CORRUPT (not the filespace of this id),
                and as `login` does.
        """
        transport, clock, random = self._around
        return await Engine.link(
            transport,
            self._keys,
            filespace,
            root_path,
            settings or EngineSettings(software=self._software),
            clock=clock,
            random=random,
            store=store,
        )

    @asynccontextmanager
    async def short_session(self) -> AsyncIterator[Session]:
        """A session of the workspace for a question or two."""
        transport, clock, random = self._around
        session = Session(transport, self._keys, 0, clock=clock, random=random, software=self._software)
        welcome = await session.open()
        self.id, self.name = AccountId(welcome.account), welcome.account_name
        self.workspace_id, self.workspace_name = WorkspaceId(welcome.workspace), welcome.workspace_name
        try:
            yield session
        finally:
            await session.close()


async def login(
    transport: Transport, token: Token, *, clock: Clock, random: Callable[[int], bytes], software: str = ""
) -> Account:
    """Find out whose token it is, and whether the hub takes it.

    Raises:
        Fault: UNAUTHENTICATED (unknown, wrong or revoked token: the hub does not tell which), TOO_MANY (failed logins
            from this address), VERSION, UNAVAILABLE.
    """
    account = Account(AccountKeys(token), Surroundings(transport, clock, random), software)
    async with account.short_session():
        pass
    return account
