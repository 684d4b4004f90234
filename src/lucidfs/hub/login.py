"""Opening a session: who signed, what the account may do there, and what its last session had applied."""

from __future__ import annotations

from collections.abc import Callable

from lucidfs import identity
from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import AccountRow, FilespaceRow, GrantRow, SessionRow, Tx
from lucidfs.hub.operations.scene import Caller
from lucidfs.hub.settings import HubSettings
from lucidfs.types import Role
from lucidfs.wire.messages import PROTOCOL_VERSION, FilespaceInfo, Hello, Welcome

NONCE_BYTES = identity.NONCE_BYTES
UNACKED_MAX = 4096  # sequence numbers of one Hello; far above what a client may have in flight

_REFUSED = "the token is not valid here"  # the same words for an unknown key, a wrong signature and a revoked account
_NOBODY = identity.public_key(bytes(32))  # checked for unknown keys, so that they take as long as known ones


def check_hello(hello: Hello) -> None:
    """Raises Fault(VERSION), Fault(BAD_MESSAGE)."""
    if hello.version != PROTOCOL_VERSION:
        raise Fault(Code.VERSION, f"this hub speaks version {PROTOCOL_VERSION}, the client version {hello.version}")
    ids_fit = all(0 <= each < 2**63 for each in (hello.filespace, hello.resume, *hello.unacked))
    if len(hello.nonce) != NONCE_BYTES or len(hello.key_id) > 64 or len(hello.unacked) > UNACKED_MAX or not ids_fit:
        raise Fault(Code.BAD_MESSAGE, "the greeting is malformed")


def authenticate(tx: Tx, hello: Hello, nonce_h: bytes, signature: bytes) -> AccountRow:
    """The account that signed. Raises Fault(UNAUTHENTICATED), in the same words whatever is wrong."""
    account = tx.account_by_key(hello.key_id)
    transcript = identity.login_transcript(
        hello.version, hello.key_id, hello.nonce, nonce_h, hello.filespace, hello.resume
    )
    public = _NOBODY if account is None else account.login_public
    signed = identity.verify(public, signature, transcript)
    if account is None or account.revoked_ns or not signed:
        raise Fault(Code.UNAUTHENTICATED, _REFUSED)
    return account


def welcome(
    tx: Tx,
    hello: Hello,
    account: AccountRow,
    session: int,
    settings: HubSettings,
    now_ns: int,
    *,
    resumed: bool = False,
    replies: list[tuple[int, bytes]] | None = None,
    locks: list[int] | None = None,
) -> Welcome:
    """What the client is told. Raises Fault(NOT_FOUND, DENIED) for its filespace."""
    workspace = tx.workspace(account.workspace)
    assert workspace is not None, "an account without a workspace"
    filespace, grant = _filespace(tx, hello, account)
    role = Role(grant.role) if grant is not None else Role.READ
    return Welcome(
        session=session,
        resumed=resumed,
        account=account.id,
        account_name=account.name,
        workspace=workspace.id,
        workspace_name=workspace.name,
        session_limit_ms=int(settings.session_limit_s * 1000),
        heartbeat_ms=int(settings.heartbeat_s * 1000),
        now_ns=now_ns,
        filespace=FilespaceInfo(filespace.id, filespace.name, filespace.created_ns, role) if filespace else None,
        root=filespace.root if filespace is not None else 0,
        sealed_key=grant.sealed_key if grant is not None else b"",
        replies=replies or [],
        locks=locks or [],
    )


def _filespace(tx: Tx, hello: Hello, account: AccountRow) -> tuple[FilespaceRow | None, GrantRow | None]:
    if not hello.filespace:
        return None, None
    row = tx.filespace(hello.filespace)
    if row is None or row.workspace != account.workspace:
        raise Fault(Code.NOT_FOUND, "there is no such filespace in this workspace")
    grant = tx.grant(row.id, account.id)
    if grant is None:
        raise Fault(Code.DENIED, f"the account {account.name} has no role in the filespace {row.name}")
    return row, grant


class OpenSession:
    """The job that makes a session: a row, and the answer to "what of my last one was applied?".

    It goes through the queue like every change, so all that was queued before of the client's last session is
    decided when the answer is read. The account is judged anew: it may have been revoked since it signed.

    Args:
        hello: what the client asked for.
        account: who signed.
        session: id of the session to make.
        settings: what the client is told of limits.
        now_ns: wall time.
        done: called once: with the welcome and the caller, or with the refusal.
    """

    def __init__(
        self,
        hello: Hello,
        account: AccountRow,
        session: int,
        settings: HubSettings,
        now_ns: int,
        done: Callable[[Welcome, Caller], None],
        refused: Callable[[Fault], None],
    ) -> None:
        self._hello = hello
        self._account = account
        self._session = session
        self._settings = settings
        self._now_ns = now_ns
        self._done = done
        self._refused = refused
        self._welcome: Welcome | None = None

    def run(self, tx: Tx) -> None:
        """See committer.Job.run."""
        account = tx.account(self._account.id)
        if account is None or account.revoked_ns or account.login_public != self._account.login_public:
            raise Fault(Code.UNAUTHENTICATED, _REFUSED)
        self._welcome = welcome(
            tx, self._hello, account, self._session, self._settings, self._now_ns, replies=self._applied(tx)
        )
        last = self._last(tx)
        # A client that comes back counts as here since it first came: what it uploaded meanwhile is its own still.
        since_ns = self._now_ns if last is None else last.created_ns
        tx.insert_session(SessionRow(self._session, account.id, self._hello.filespace, since_ns))

    def settle(self, fault: Fault | None) -> None:
        """See committer.Job.settle."""
        if fault is not None:
            self._refused(fault)
            return
        welcome = self._welcome
        assert welcome is not None
        role = int(welcome.filespace.role) if welcome.filespace is not None else 0
        caller = Caller(welcome.session, welcome.account, welcome.account_name, self._hello.filespace, role)
        self._done(welcome, caller)

    def _applied(self, tx: Tx) -> list[tuple[int, bytes]]:
        """Stored replies of the session that the client asked to go on with."""
        last = self._last(tx)
        if last is None:
            return []
        found = [(seq, tx.reply(last.id, seq)) for seq in self._hello.unacked]
        return [(seq, reply) for seq, reply in found if reply is not None]

    def _last(self, tx: Tx) -> SessionRow | None:
        """The session that the client asked to go on with, if it was this account's."""
        last = tx.session(self._hello.resume) if self._hello.resume else None
        if last is None or (last.account, last.filespace) != (self._account.id, self._hello.filespace):
            return None
        return last
