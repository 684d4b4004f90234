"""Administration with keys: makes tokens, seals filespace keys to accounts, and tells the hub the public parts.

The hub never sees a token's secret or a filespace key, so everything that hands one out happens here. Synchronous:
each method is one or a few calls of the management API.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

from lucidfs import identity
from lucidfs.crypto.account import AccountKeys, filespace_id, new_filespace_key, seal_filespace_key
from lucidfs.crypto.token import Token
from lucidfs.errors import Code, Fault
from lucidfs.ids import Ids
from lucidfs.types import Role, id_text, id_value
from lucidfs.wire import management as m
from lucidfs.wire.messages import PROTOCOL_VERSION
from lucidfs.wire.rest import ManagementClient


class NewToken(NamedTuple):
    """An account and its token, which nobody can show again."""

    account: m.AccountView
    token: Token


class Administration:
    """One workspace, as one account may administer it.

    Args:
        url: the hub's address.
        token: of an account that is a workspace admin, or has the role admin in a filespace.
        random: source of random bytes.
        allow_plaintext: permit http:// to another machine.

    Raises:
        Fault: INVALID or DENIED for an address that may not be used. All methods raise Fault: what the hub refused,
            UNAUTHENTICATED for a token that it does not take, UNAVAILABLE when it cannot be reached.
    """

    def __init__(
        self, url: str, token: Token, random: Callable[[int], bytes], *, allow_plaintext: bool = False
    ) -> None:
        self._keys = AccountKeys(token)
        self._random = random
        self._ids = Ids(random)
        self._client = ManagementClient(url, token.key_id, self._sign, random, allow_plaintext=allow_plaintext)

    def close(self) -> None:
        """Log out."""
        self._client.close()

    def workspace(self) -> str:
        """The name of the account's workspace."""
        return self._client.login().workspace_name

    def whoami(self) -> m.AccountView:
        """The account itself, with its grants."""
        return self._client.call(m.GetSelf(), m.AccountView)

    # filespaces

    def filespaces(self) -> list[m.FilespaceView]:
        """All for a workspace admin, else those that the account has a role in; sorted by name."""
        return sorted(self._client.call(m.ListFilespaces(), m.FilespaceList).filespaces, key=lambda f: f.name)

    def filespace(self, name: str) -> m.FilespaceView:
        """One filespace by name, or by id. Raises Fault(NOT_FOUND)."""
        filespaces = self.filespaces()
        for found in filespaces:
            if found.name == name:
                return found
        for found in filespaces:
            if found.id == name:
                return found
        raise Fault(Code.NOT_FOUND, f"there is no filespace {name} in the workspace {self.workspace()}")

    def create_filespace(self, name: str, store: m.BucketConfig | None = None) -> m.FilespaceView:
        """Make an empty filespace with a fresh key; the account becomes its admin.

        Args:
            name: of the filespace.
            store: the bucket for its objects, which the hub tries first; None: the hub's own folder.

        Raises:
            Fault: EXISTS, DENIED; INVALID, UNAVAILABLE and what S3 said, about the bucket.
        """
        key = new_filespace_key(self._random)
        identity_number = filespace_id(key)
        request = m.CreateFilespace(
            id=id_text(identity_number),
            name=name,
            root=id_text(self._ids.take()),
            sealed_key=seal_filespace_key(key, identity_number, self._keys.sealing_public, self._random),
            store=store,
        )
        return self._client.call(request, m.FilespaceView)

    def rekey_store(self, name: str, access_key: str, secret_key: str) -> m.FilespaceView:
        """Give the hub other keys to a filespace's bucket. Raises Fault: NOT_FOUND, DENIED, INVALID, what S3 said."""
        request = m.RekeyStore(filespace=self.filespace(name).id, access_key=access_key, secret_key=secret_key)
        return self._client.call(request, m.FilespaceView)

    def move_store(self, name: str, store: m.BucketConfig | None) -> m.MoveView:
        """Move a filespace's objects to a bucket, or (None) to the hub's own folder, while clients go on.

        Raises:
            Fault: NOT_FOUND, DENIED; EXISTS while an earlier move is under way; INVALID when they are there; and what
                S3 said about the bucket.
        """
        return self._client.call(m.MoveStore(filespace=self.filespace(name).id, store=store), m.MoveView)

    def move(self, name: str) -> m.MoveView:
        """How far such a move is. Raises Fault(NOT_FOUND, DENIED)."""
        return self._client.call(m.GetMove(filespace=self.filespace(name).id), m.MoveView)

    def rename_filespace(self, name: str, new_name: str) -> m.FilespaceView:
        """Raises Fault(NOT_FOUND, EXISTS, DENIED)."""
        return self._client.call(m.RenameFilespace(filespace=self.filespace(name).id, name=new_name), m.FilespaceView)

    def delete_filespace(self, name: str) -> None:
        """Delete a filespace with everything in it, for ever. Raises Fault(NOT_FOUND, DENIED)."""
        found = self.filespace(name)
        self._client.call(m.DeleteFilespace(filespace=found.id, name=found.name), m.Done)

    def locks(self, filespace: m.FilespaceView) -> list[m.LockView]:
        """Who holds, and who waits for, which bytes of which node. Raises Fault(NOT_FOUND, DENIED)."""
        return self._client.call(m.ListLocks(filespace=filespace.id), m.LockList).locks

    def status(self) -> m.HubStatus:
        """What goes on at the hub, as far as this account may see it."""
        return self._client.call(m.GetStatus(), m.HubStatus)

    # accounts

    def accounts(self) -> list[m.AccountView]:
        """Every account of the workspace, revoked ones too; sorted by name. Raises Fault(DENIED)."""
        return sorted(self._client.call(m.ListAccounts(), m.AccountList).accounts, key=lambda a: a.name)

    def account(self, name: str) -> m.AccountView:
        """One account by name, or by id; finds oneself without being an admin. Raises Fault(NOT_FOUND, DENIED)."""
        own = self._client.login().account
        if name in (own.name, own.id):
            return self.whoami()
        for found in self.accounts():
            if name in (found.name, found.id):
                return found
        raise Fault(Code.NOT_FOUND, f"there is no account {name} in the workspace {self.workspace()}")

    def create_account(
        self, name: str, grants: Mapping[str, Role] | None = None, *, workspace_admin: bool = False
    ) -> NewToken:
        """Make an account with a fresh token.

        Args:
            name: of the account.
            grants: filespace (name or id) to role.
            workspace_admin: whether it may make filespaces and accounts.

        Raises:
            Fault: EXISTS, DENIED (also for a filespace whose key this account does not hold), NOT_FOUND.
        """
        token = Token.generate(self._random)
        keys = AccountKeys(token)
        sealed = [
            m.NewGrant(
                filespace=(found := self.filespace(filespace)).id,
                role=m.role_name(role),
                sealed_key=self._seal(found, keys.sealing_public),
            )
            for filespace, role in (grants or {}).items()
        ]
        request = m.CreateAccount(
            name=name,
            key_id=keys.key_id,
            login_public=keys.login_public,
            sealing_public=keys.sealing_public,
            workspace_admin=workspace_admin,
            grants=sealed,
        )
        return NewToken(self._client.call(request, m.AccountView), token)

    def grant(self, account: str, filespace: str, role: Role, *, expected: str | None = None) -> m.GrantView:
        """Give an account a role in a filespace.

        Args:
            account: its name or id.
            filespace: its name or id.
            role: what it may do there from now on.
            expected: `fingerprint` of the account as its owner told it. Without it the hub is trusted to say which
                public key the filespace's key is sealed to.

        Raises:
            Fault: NOT_FOUND, DENIED; CORRUPT when the hub names another key than the expected one.
        """
        who, where = self.account(account), self.filespace(filespace)
        if expected is not None and fingerprint(who) != expected:
            raise Fault(
                Code.CORRUPT, f"the hub's key of {who.name} has the fingerprint {fingerprint(who)}: not granted"
            )
        request = m.PutGrant(
            filespace=where.id,
            account=who.id,
            role=m.role_name(role),
            sealed_key=self._seal(where, who.sealing_public),
        )
        return self._client.call(request, m.GrantView)

    def revoke(self, account: str, filespace: str | None = None) -> None:
        """Take one role away, or (no filespace) end the account for ever; its sessions end at once.

        Raises Fault(NOT_FOUND, DENIED), or INVALID for the last admin.
        """
        who = self.account(account)
        if filespace is None:
            self._client.call(m.RevokeAccount(account=who.id), m.Done)
        else:
            self._client.call(m.DeleteGrant(filespace=self.filespace(filespace).id, account=who.id), m.Done)

    def rotate(self, account: str) -> NewToken:
        """Give an account a new token; the old one and its sessions end at once.

        Every filespace key that the account holds is sealed anew, so the caller must hold them too (it does when it
        rotates itself). Raises Fault(NOT_FOUND, DENIED), or STALE when its roles changed meanwhile.
        """
        who = self.account(account)
        token = Token.generate(self._random)
        keys = AccountKeys(token)
        known = {found.id: found for found in self.filespaces()}
        resealed = []
        for grant in who.grants:
            found = known.get(grant.filespace)
            if found is None:
                raise Fault(Code.STALE, f"the roles of {who.name} changed meanwhile: try again")
            resealed.append(m.ResealedKey(filespace=found.id, sealed_key=self._seal(found, keys.sealing_public)))
        request = m.RotateAccount(
            account=who.id,
            key_id=keys.key_id,
            login_public=keys.login_public,
            sealing_public=keys.sealing_public,
            keys=resealed,
        )
        return NewToken(self._client.call(request, m.AccountView), token)

    def _seal(self, filespace: m.FilespaceView, recipient_public: bytes) -> bytes:
        """The filespace's key for another account. Raises Fault(DENIED) when this account does not hold it."""
        number = id_value(filespace.id)
        if not filespace.sealed_key:
            raise Fault(
                Code.DENIED,
                f"this account does not hold the key of {filespace.name}: one of its admins must give it a role first",
            )
        key = self._keys.open_filespace_key(filespace.sealed_key, number)
        try:
            return seal_filespace_key(key, number, recipient_public, self._random)
        except ValueError:
            raise Fault(Code.CORRUPT, "the hub sent a public key that is none") from None

    def _sign(self, nonce_c: bytes, nonce_h: bytes) -> bytes:
        return self._keys.sign(identity.management_transcript(PROTOCOL_VERSION, self._keys.key_id, nonce_c, nonce_h))


def fingerprint(account: m.AccountView) -> str:
    """16 hex digits over an account's public keys, for two people to compare by another way than through the hub."""
    return hashlib.sha256(b"lucid/v1/account" + account.login_public + account.sealing_public).hexdigest()[:16]
