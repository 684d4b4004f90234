"""The rules of administration over a real database, without a hub: each refusal, and that it changed nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from lucidfs.errors import Code, Fault
from lucidfs.hub.api import RULES
from lucidfs.hub.database.base import AccountRow, WorkspaceRow
from lucidfs.hub.database.sqlite import SqliteDatabase
from lucidfs.hub.operations.manage import Desk, Ended, Outcome
from lucidfs.types import id_text, id_value
from lucidfs.wire import management as m

RecordT = TypeVar("RecordT", bound=m.Record)
KEY = bytes(32)
SEALED = b"sealed" * 10


class Office:
    """One workspace with a workspace admin `root`; requests are applied one at a time."""

    def __init__(self, path: Path) -> None:
        self.database = SqliteDatabase(path, durable=False)
        self.now_ns = 10**18
        self._fresh = 1000
        with_workspace = self.database.begin()
        for number, name in ((1, "main"), (2, "other")):
            with_workspace.insert_workspace(WorkspaceRow(number, name, self.now_ns))
            with_workspace.insert_account(
                AccountRow(number, number, "root", f"{number:016x}", KEY, KEY, True, self.now_ns)
            )
        self.database.commit()

    def ask(self, who: str, request: m.Record, workspace: int = 1) -> Outcome:
        tx = self.database.begin()
        account = tx.account_by_name(workspace, who)
        assert account is not None
        self._fresh += 1
        try:
            outcome = RULES[type(request)](Desk(tx, account, self.now_ns, self._fresh), request)
        except Fault:
            self.database.rollback()
            raise
        self.database.commit()
        return outcome

    def get(self, who: str, request: m.Record, reply: type[RecordT], workspace: int = 1) -> RecordT:
        answer = self.ask(who, request, workspace).reply
        assert isinstance(answer, reply)
        return answer

    def filespace(self, name: str, who: str = "root", number: int | None = None, workspace: int = 1) -> m.FilespaceView:
        number = number or 100 + sum(map(ord, name)) * 7
        request = m.CreateFilespace(id=id_text(number), name=name, root=id_text(number + 1), sealed_key=SEALED)
        return self.get(who, request, m.FilespaceView, workspace)

    def account(
        self, name: str, grants: dict[str, m.RoleName] | None = None, who: str = "root", **more: Any
    ) -> m.AccountView:
        new = [m.NewGrant(filespace=f, role=r, sealed_key=SEALED) for f, r in (grants or {}).items()]
        key_id = f"{sum(map(ord, name)) * 31:016x}"
        request = m.CreateAccount(name=name, key_id=key_id, login_public=KEY, sealing_public=KEY, grants=new, **more)
        return self.get(who, request, m.AccountView)

    def state(self) -> tuple[object, ...]:
        """All that administration can change."""
        with self.database.read() as tx:
            accounts = tx.accounts(1)
            filespaces = tx.filespaces(1)
            return accounts, filespaces, [tx.grants_of_account(row.id) for row in accounts]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path / "hub.sqlite")
    yield office
    office.database.close()


def refused(office: Office, code: Code, act: Callable[[], object], *words: str) -> None:
    """`act` is refused with this code and these words, and nothing changed."""
    before = office.state()
    with pytest.raises(Fault) as refusal:
        act()
    assert refusal.value.code is code
    for word in words:
        assert word in refusal.value.message
    assert office.state() == before


# --- filespaces -------------------------------------------------------------------------------------------------


def test_a_new_filespace_has_an_empty_root_and_its_maker_as_admin(office: Office) -> None:
    made = office.filespace("data", number=500)
    assert (made.id, made.name, made.role, made.sealed_key) == (id_text(500), "data", "admin", SEALED)
    with office.database.read() as tx:
        row = tx.filespace(500)
        assert row is not None
        root = tx.node(row.root)
        assert root is not None
        assert (root.filespace, root.parent, root.token, root.ctime_ns) == (500, 0, b"", office.now_ns)
        assert (tx.counts(500).files, tx.counts(500).folders) == (0, 0)


def test_names_and_ids_of_filespaces_are_unique(office: Office) -> None:
    office.filespace("data", number=500)
    refused(office, Code.EXISTS, lambda: office.filespace("data", number=600), "data")
    refused(office, Code.ID_TAKEN, lambda: office.filespace("two", number=500))
    taken_root = m.CreateFilespace(id=id_text(700), name="two", root=id_text(501), sealed_key=SEALED)
    refused(office, Code.ID_TAKEN, lambda: office.ask("root", taken_root))


def test_zero_is_no_id(office: Office) -> None:
    request = m.CreateFilespace(id=id_text(0), name="two", root=id_text(5), sealed_key=SEALED)
    refused(office, Code.INVALID, lambda: office.ask("root", request))


def test_the_same_name_may_stand_in_two_workspaces(office: Office) -> None:
    office.filespace("data", number=500)
    assert office.filespace("data", number=600, workspace=2).name == "data"


def test_only_workspace_admins_make_filespaces(office: Office) -> None:
    made = office.filespace("data")
    office.account("ann", {made.id: "admin"})
    refused(office, Code.DENIED, lambda: office.filespace("mine", who="ann"), "ann")


def test_accounts_see_the_filespaces_that_they_have_a_role_in(office: Office) -> None:
    one, two = office.filespace("one"), office.filespace("two")
    office.account("ann", {one.id: "read"})
    seen = office.get("ann", m.ListFilespaces(), m.FilespaceList).filespaces
    assert [(view.id, view.role, view.sealed_key) for view in seen] == [(one.id, "read", SEALED)]
    office.account("ops", workspace_admin=True)
    seen = office.get("ops", m.ListFilespaces(), m.FilespaceList).filespaces
    assert {(view.id, view.role, view.sealed_key) for view in seen} == {(one.id, None, b""), (two.id, None, b"")}


def test_renaming_keeps_the_id_and_ends_no_session(office: Office) -> None:
    made = office.filespace("data")
    outcome = office.ask("root", m.RenameFilespace(filespace=made.id, name="archive"))
    assert isinstance(outcome.reply, m.FilespaceView)
    assert (outcome.reply.id, outcome.reply.name, outcome.ended) == (made.id, "archive", ())
    again = office.get("root", m.RenameFilespace(filespace=made.id, name="archive"), m.FilespaceView)
    assert again.name == "archive"


def test_renaming_to_a_taken_name_is_refused(office: Office) -> None:
    made = office.filespace("data")
    office.filespace("other")
    refused(office, Code.EXISTS, lambda: office.ask("root", m.RenameFilespace(filespace=made.id, name="other")))


def test_deleting_needs_the_name_and_ends_every_session_there(office: Office) -> None:
    made = office.filespace("data")
    ann = office.account("ann", {made.id: "read"})
    wrong = m.DeleteFilespace(filespace=made.id, name="dat")
    refused(office, Code.INVALID, lambda: office.ask("root", wrong), "nothing deleted")
    outcome = office.ask("root", m.DeleteFilespace(filespace=made.id, name="data"))
    assert {(e.account, e.filespace) for e in outcome.ended} == {
        (1, id_value(made.id)),
        (id_value(ann.id), id_value(made.id)),
    }
    assert office.get("root", m.ListFilespaces(), m.FilespaceList).filespaces == []
    assert office.get("ann", m.GetSelf(), m.AccountView).grants == []


@pytest.mark.parametrize("role", ["read", "write"])
def test_readers_and_writers_administer_nothing(office: Office, role: m.RoleName) -> None:
    made = office.filespace("data")
    ann = office.account("ann", {made.id: role})
    requests: list[m.Record] = [
        m.RenameFilespace(filespace=made.id, name="mine"),
        m.DeleteFilespace(filespace=made.id, name="data"),
        m.ListGrants(filespace=made.id),
        m.PutGrant(filespace=made.id, account=ann.id, role="admin", sealed_key=SEALED),
        m.DeleteGrant(filespace=made.id, account=ann.id),
        m.ListAccounts(),
        m.RevokeAccount(account=ann.id),
        m.RotateAccount(account=id_text(1), key_id="f" * 16, login_public=KEY, sealing_public=KEY, keys=[]),
    ]
    for request in requests:
        refused(office, Code.DENIED, lambda request=request: office.ask("ann", request))  # type: ignore[misc]
    refused(office, Code.DENIED, lambda: office.account("bob", {made.id: "read"}, who="ann"))


def test_another_workspace_is_not_there(office: Office) -> None:
    made = office.filespace("data")
    ann = office.account("ann", {made.id: "read"})
    requests: list[m.Record] = [
        m.RenameFilespace(filespace=made.id, name="mine"),
        m.ListGrants(filespace=made.id),
        m.PutGrant(filespace=made.id, account=id_text(2), role="admin", sealed_key=SEALED),
        m.RevokeAccount(account=ann.id),
        m.RotateAccount(account=ann.id, key_id="f" * 16, login_public=KEY, sealing_public=KEY, keys=[]),
    ]
    for request in requests:
        refused(office, Code.NOT_FOUND, lambda request=request: office.ask("root", request, 2))  # type: ignore[misc]
    put = m.PutGrant(filespace=made.id, account=id_text(2), role="read", sealed_key=SEALED)
    refused(office, Code.NOT_FOUND, lambda: office.ask("root", put))


# --- grants -----------------------------------------------------------------------------------------------------


def test_a_filespace_admin_gives_and_takes_roles(office: Office) -> None:
    made = office.filespace("data")
    office.account("ann", {made.id: "admin"})
    bob = office.account("bob", {made.id: "read"}, who="ann")
    changed = office.ask("ann", m.PutGrant(filespace=made.id, account=bob.id, role="write", sealed_key=SEALED))
    assert changed.ended == (Ended(id_value(bob.id), id_value(made.id), "the account's role changed"),)
    views = office.get("ann", m.ListGrants(filespace=made.id), m.GrantList).grants
    assert {(view.account_name, view.role) for view in views} == {("root", "admin"), ("ann", "admin"), ("bob", "write")}
    taken = office.ask("ann", m.DeleteGrant(filespace=made.id, account=bob.id))
    assert [(e.account, e.filespace) for e in taken.ended] == [(id_value(bob.id), id_value(made.id))]
    again = m.DeleteGrant(filespace=made.id, account=bob.id)
    refused(office, Code.NOT_FOUND, lambda: office.ask("ann", again), "bob")


def test_a_first_or_equal_role_ends_no_session(office: Office) -> None:
    made = office.filespace("data")
    ops = office.account("ops", workspace_admin=True)
    put = m.PutGrant(filespace=made.id, account=ops.id, role="write", sealed_key=SEALED)
    assert office.ask("root", put).ended == ()
    assert office.ask("root", put).ended == ()


def test_the_last_admin_of_a_filespace_stays(office: Office) -> None:
    made = office.filespace("data")
    me = id_text(1)
    down = m.PutGrant(filespace=made.id, account=me, role="read", sealed_key=SEALED)
    refused(office, Code.INVALID, lambda: office.ask("root", down), "last admin", "data")
    refused(office, Code.INVALID, lambda: office.ask("root", m.DeleteGrant(filespace=made.id, account=me)))
    ann = office.account("ann", {made.id: "admin"})
    office.ask("root", m.DeleteGrant(filespace=made.id, account=me))
    refused(office, Code.INVALID, lambda: office.ask("root", m.RevokeAccount(account=ann.id)), "data")


# --- accounts ---------------------------------------------------------------------------------------------------


def test_an_account_is_made_with_its_grants(office: Office) -> None:
    one, two = office.filespace("one"), office.filespace("two")
    made = office.account("ann", {one.id: "read", two.id: "write"})
    assert (made.name, made.workspace_admin, made.revoked) == ("ann", False, False)
    assert {(g.filespace_name, g.role) for g in made.grants} == {("one", "read"), ("two", "write")}
    assert office.get("ann", m.GetSelf(), m.AccountView) == made


def test_names_of_accounts_stay_taken_after_revocation(office: Office) -> None:
    made = office.filespace("data")
    ann = office.account("ann", {made.id: "read"})
    refused(office, Code.EXISTS, lambda: office.account("ann", {made.id: "read"}), "ann")
    office.ask("root", m.RevokeAccount(account=ann.id))
    refused(office, Code.EXISTS, lambda: office.account("ann", {made.id: "read"}), "ann")


def test_a_key_id_is_used_once(office: Office) -> None:
    made = office.filespace("data")
    office.account("ab", {made.id: "read"})
    refused(office, Code.ID_TAKEN, lambda: office.account("ba", {made.id: "read"}))


def test_two_grants_in_one_filespace_are_refused(office: Office) -> None:
    made = office.filespace("data")
    twice = [m.NewGrant(filespace=made.id, role="read", sealed_key=SEALED)] * 2
    request = m.CreateAccount(name="ann", key_id="a" * 16, login_public=KEY, sealing_public=KEY, grants=twice)
    refused(office, Code.INVALID, lambda: office.ask("root", request))


def test_a_filespace_admin_makes_accounts_for_its_filespace_only(office: Office) -> None:
    one, two = office.filespace("one"), office.filespace("two")
    office.account("ann", {one.id: "admin"})
    assert office.account("bob", {one.id: "admin"}, who="ann").name == "bob"
    refused(office, Code.DENIED, lambda: office.account("eve", {two.id: "read"}, who="ann"))
    refused(office, Code.DENIED, lambda: office.account("eve", {one.id: "read", two.id: "read"}, who="ann"))
    refused(office, Code.DENIED, lambda: office.account("eve", {}, who="ann"))
    refused(office, Code.DENIED, lambda: office.account("eve", {one.id: "read"}, who="ann", workspace_admin=True))


def test_a_filespace_admin_sees_all_accounts_with_the_grants_that_are_its_own(office: Office) -> None:
    one, two = office.filespace("one"), office.filespace("two")
    office.account("ann", {one.id: "admin"})
    office.account("bob", {one.id: "read", two.id: "read"})
    seen = {view.name: view for view in office.get("ann", m.ListAccounts(), m.AccountList).accounts}
    assert seen.keys() == {"root", "ann", "bob"}
    assert [grant.filespace_name for grant in seen["bob"].grants] == ["one"]


def test_revoking_ends_everything_of_an_account(office: Office) -> None:
    made = office.filespace("data")
    ann = office.account("ann", {made.id: "write"})
    outcome = office.ask("root", m.RevokeAccount(account=ann.id))
    assert [(e.account, e.filespace) for e in outcome.ended] == [(id_value(ann.id), 0)]
    seen = {view.name: view for view in office.get("root", m.ListAccounts(), m.AccountList).accounts}
    assert seen["ann"].revoked
    assert seen["ann"].grants == []
    refused(office, Code.NOT_FOUND, lambda: office.ask("root", m.RevokeAccount(account=ann.id)), "revoked")
    put = m.PutGrant(filespace=made.id, account=ann.id, role="read", sealed_key=SEALED)
    refused(office, Code.NOT_FOUND, lambda: office.ask("root", put), "revoked")


def test_the_last_workspace_admin_stays(office: Office) -> None:
    refused(office, Code.INVALID, lambda: office.ask("root", m.RevokeAccount(account=id_text(1))), "last")
    office.account("ops", workspace_admin=True)
    office.ask("ops", m.RevokeAccount(account=id_text(1)))


def rotation(account: str, *filespaces: str, key_id: str = "f" * 16) -> m.RotateAccount:
    keys = [m.ResealedKey(filespace=filespace, sealed_key=b"anew") for filespace in filespaces]
    return m.RotateAccount(account=account, key_id=key_id, login_public=b"n" * 32, sealing_public=b"s" * 32, keys=keys)


def test_rotation_replaces_keys_and_keeps_roles(office: Office) -> None:
    made = office.filespace("data")
    ann = office.account("ann", {made.id: "write"})
    outcome = office.ask("ann", rotation(ann.id, made.id))
    assert isinstance(outcome.reply, m.AccountView)
    assert (outcome.reply.key_id, outcome.reply.login_public, outcome.reply.sealing_public) == (
        "f" * 16,
        b"n" * 32,
        b"s" * 32,
    )
    assert [(g.filespace, g.role) for g in outcome.reply.grants] == [(made.id, "write")]
    assert [(e.account, e.filespace) for e in outcome.ended] == [(id_value(ann.id), 0)]
    sealed = office.get("ann", m.ListFilespaces(), m.FilespaceList).filespaces[0].sealed_key
    assert sealed == b"anew"
    with office.database.read() as tx:
        assert tx.account_by_key(ann.key_id) is None


def test_rotation_must_cover_exactly_the_grants(office: Office) -> None:
    one, two = office.filespace("one"), office.filespace("two")
    ann = office.account("ann", {one.id: "write"})
    refused(office, Code.STALE, lambda: office.ask("ann", rotation(ann.id)))
    refused(office, Code.STALE, lambda: office.ask("ann", rotation(ann.id, one.id, two.id)))
    refused(office, Code.STALE, lambda: office.ask("ann", rotation(ann.id, one.id, one.id)))
    refused(office, Code.ID_TAKEN, lambda: office.ask("ann", rotation(ann.id, one.id, key_id=f"{1:016x}")))


def test_every_request_that_needs_a_login_has_a_rule() -> None:
    without_rule = {m.BeginLogin, m.FinishLogin, m.EndLogin}
    assert RULES.keys() == m.ROUTES.keys() - without_rule
