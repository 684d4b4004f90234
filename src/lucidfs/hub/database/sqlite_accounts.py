"""Workspaces, accounts, filespaces and grants in SQLite."""

from __future__ import annotations

from lucidfs.hub.database.base import AccountRow, FilespaceRow, GrantRow, WorkspaceRow
from lucidfs.hub.database.sqlite_rows import Row, Statements

_WORKSPACE = "SELECT id, name, created_ns FROM workspace "
_ACCOUNT = (
    "SELECT id, workspace, name, key_id, login_public, sealing_public, admin, created_ns, revoked_ns FROM account "
)
_FILESPACE = "SELECT id, workspace, name, root, created_ns FROM filespace "
_GRANT = "SELECT filespace, account, role, sealed_key FROM filespace_grant "
# Every node hangs below the root, so the tree itself finds them; an index by filespace would cost every insert.
_BELOW = (
    "WITH RECURSIVE below (id) AS (SELECT root FROM filespace WHERE id = ?1"
    " UNION ALL SELECT node.id FROM node JOIN below ON node.parent = below.id AND node.parent > 0) "
)


class SqliteAccounts:
    """Who may do what where, on one connection."""

    _run: Statements

    def insert_workspace(self, row: WorkspaceRow) -> None:
        self._run.do_unique(f"the workspace {row.name!r}", "INSERT INTO workspace VALUES (?, ?, ?)", row)

    def workspace(self, workspace: int) -> WorkspaceRow | None:
        row = self._run.one(_WORKSPACE + "WHERE id = ?", (workspace,))
        return None if row is None else WorkspaceRow._make(row)

    def workspaces(self) -> list[WorkspaceRow]:
        return [WorkspaceRow._make(row) for row in self._run.all(_WORKSPACE + "ORDER BY name")]

    # accounts

    def insert_account(self, row: AccountRow) -> None:
        sql = "INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        self._run.do_unique(f"the account {row.name!r}", sql, _account_columns(row))

    def account(self, account: int) -> AccountRow | None:
        return _account_of(self._run.one(_ACCOUNT + "WHERE id = ?", (account,)))

    def account_by_key(self, key_id: str) -> AccountRow | None:
        return _account_of(self._run.one(_ACCOUNT + "WHERE key_id = ?", (key_id,)))

    def account_by_name(self, workspace: int, name: str) -> AccountRow | None:
        return _account_of(self._run.one(_ACCOUNT + "WHERE workspace = ? AND name = ?", (workspace, name)))

    def accounts(self, workspace: int) -> list[AccountRow]:
        rows = self._run.all(_ACCOUNT + "WHERE workspace = ? ORDER BY name", (workspace,))
        return [account for account in map(_account_of, rows) if account is not None]

    def update_account(self, row: AccountRow) -> None:
        sql = (
            "UPDATE account SET workspace = ?, name = ?, key_id = ?, login_public = ?, sealing_public = ?, admin = ?,"
            " created_ns = ?, revoked_ns = ? WHERE id = ?"
        )
        columns = _account_columns(row)
        self._run.do_unique(f"the account {row.name!r}", sql, (*columns[1:], columns[0]))

    # filespaces

    def insert_filespace(self, row: FilespaceRow) -> None:
        self._run.do_unique(f"the filespace {row.name!r}", "INSERT INTO filespace VALUES (?, ?, ?, ?, ?)", row)
        self._run.do("INSERT INTO counts VALUES (?, 0, 0, 0, 0, '0', 0, 0, 0)", (row.id,))

    def filespace(self, filespace: int) -> FilespaceRow | None:
        row = self._run.one(_FILESPACE + "WHERE id = ?", (filespace,))
        return None if row is None else FilespaceRow._make(row)

    def filespace_by_name(self, workspace: int, name: str) -> FilespaceRow | None:
        row = self._run.one(_FILESPACE + "WHERE workspace = ? AND name = ?", (workspace, name))
        return None if row is None else FilespaceRow._make(row)

    def filespaces(self, workspace: int) -> list[FilespaceRow]:
        rows = self._run.all(_FILESPACE + "WHERE workspace = ? ORDER BY name", (workspace,))
        return [FilespaceRow._make(row) for row in rows]

    def rename_filespace(self, filespace: int, name: str) -> None:
        sql = "UPDATE filespace SET name = ? WHERE id = ?"
        self._run.do_unique(f"the filespace {name!r}", sql, (name, filespace))

    def delete_filespace(self, filespace: int, now_ns: int) -> None:
        self._run.do(_BELOW + "DELETE FROM extent WHERE node IN below", (filespace,))
        self._run.do(_BELOW + "DELETE FROM node WHERE id IN below", (filespace,))
        dead = "UPDATE object SET live = 0, dead_since_ns = ?2 WHERE filespace = ?1 AND live > 0"
        self._run.do(dead, (filespace, now_ns))
        for table in ("counts", "filespace_grant", "lock"):
            self._run.do(f"DELETE FROM {table} WHERE filespace = ?", (filespace,))
        self._run.do("UPDATE object_store SET gone_ns = ? WHERE filespace = ?", (now_ns, filespace))
        self._run.do("DELETE FROM filespace WHERE id = ?", (filespace,))

    # grants

    def put_grant(self, row: GrantRow) -> None:
        self._run.do("INSERT OR REPLACE INTO filespace_grant VALUES (?, ?, ?, ?)", row)

    def grant(self, filespace: int, account: int) -> GrantRow | None:
        row = self._run.one(_GRANT + "WHERE filespace = ? AND account = ?", (filespace, account))
        return None if row is None else GrantRow._make(row)

    def grants_of_account(self, account: int) -> list[GrantRow]:
        rows = self._run.all(_GRANT + "WHERE account = ? ORDER BY filespace", (account,))
        return [GrantRow._make(row) for row in rows]

    def grants_of_filespace(self, filespace: int) -> list[GrantRow]:
        rows = self._run.all(_GRANT + "WHERE filespace = ? ORDER BY account", (filespace,))
        return [GrantRow._make(row) for row in rows]

    def delete_grant(self, filespace: int, account: int) -> None:
        self._run.do("DELETE FROM filespace_grant WHERE filespace = ? AND account = ?", (filespace, account))


def _account_columns(row: AccountRow) -> Row:
    return (*row[:6], int(row.admin), row.created_ns, row.revoked_ns)


def _account_of(row: Row | None) -> AccountRow | None:
    return None if row is None else AccountRow._make((*row[:6], bool(row[6]), *row[7:]))
