"""`lucid account`: service accounts, their roles in filespaces, and their tokens."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

import typer

from lucidfs.cli import options
from lucidfs.cli.admin import administering
from lucidfs.cli.exits import EXIT_CODES, UsageError, reporting
from lucidfs.cli.output import print_json, print_table
from lucidfs.engine.administration import NewToken, fingerprint
from lucidfs.types import Role
from lucidfs.wire.management import AccountView

EXAMPLES = """\b
Examples:
  lucid account create render-farm --filespace production-data --role write
  lucid account create ops --workspace-admin
  lucid account list
  lucid account grant render-farm --filespace archive --role read
  lucid account revoke render-farm --filespace archive    # this role only
  lucid account rotate render-farm                        # a new token; the old one ends at once
  lucid account revoke render-farm                        # the account, for ever"""

EPILOG = f"{EXAMPLES}\n\n{EXIT_CODES}"

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Make service accounts, give and take roles.",
    epilog=EPILOG,
)


class RoleName(str, Enum):
    """Roles as they are typed; each includes those before it."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


_Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the account.")]
_Filespace = Annotated[str, typer.Option("--filespace", "-f", metavar="FILESPACE", help="Name or id of a filespace.")]
_Role = Annotated[RoleName, typer.Option("--role", help="What the account may do there.")]


def account_json(view: AccountView) -> dict[str, Any]:
    """An account for programs; never a secret."""
    return {
        "id": view.id,
        "name": view.name,
        "key_id": view.key_id,
        "fingerprint": fingerprint(view),
        "workspace_admin": view.workspace_admin,
        "revoked": view.revoked,
        "created": view.created,
        "grants": [{"filespace": g.filespace_name, "id": g.filespace, "role": g.role} for g in view.grants],
    }


@app.command(epilog=EPILOG)
def create(
    name: _Name,
    filespace: Annotated[
        str | None, typer.Option("--filespace", "-f", metavar="FILESPACE", help="Name or id of its first filespace.")
    ] = None,
    role: _Role = RoleName.WRITE,
    workspace_admin: Annotated[
        bool, typer.Option("--workspace-admin", help="May make filespaces and accounts.")
    ] = False,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Make an account and print its token, once: it is made here, and the hub never sees it."""
    with reporting(json):
        if filespace is None and not workspace_admin:
            raise UsageError("give --filespace with --role, or --workspace-admin")
        with administering(hub, token, allow_plaintext) as administration:
            grants = {filespace: Role[role.name]} if filespace is not None else {}
            _print_token(administration.create_account(name, grants, workspace_admin=workspace_admin), json)


@app.command("list", epilog=EPILOG)
def list_(
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """List accounts with their roles. `key` is a fingerprint of the account's keys, for `grant --key`."""
    with reporting(json), administering(hub, token, allow_plaintext) as administration:
        views = administration.accounts()
        if json:
            print_json([account_json(view) for view in views])
            return
        rows = [("name", "token", "key", "roles", "created")]
        for view in views:
            rows.append((view.name, f"sa_live:{view.key_id}:…", fingerprint(view), _roles(view), view.created))
        print_table(rows)


@app.command(epilog=EPILOG)
def grant(
    name: _Name,
    filespace: _Filespace,
    role: _Role,
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            metavar="FINGERPRINT",
            help="Refuse unless the account's keys have this fingerprint.",
            show_default=False,
        ),
    ] = None,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Give an account a role in a filespace, or another role than it has.

    The filespace's key is sealed to the key that the hub names for the account. If you do not trust the hub, compare
    the fingerprint that `lucid account create` printed, with --key.
    """
    with reporting(json), administering(hub, token, allow_plaintext) as administration:
        made = administration.grant(name, filespace, Role[role.name], expected=key)
        if json:
            print_json({"account": made.account_name, "filespace": made.filespace_name, "role": made.role})


@app.command(epilog=EPILOG)
def revoke(
    name: _Name,
    filespace: Annotated[
        str | None,
        typer.Option("--filespace", "-f", metavar="FILESPACE", help="Only its role there.", show_default="the account"),
    ] = None,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Take a role away, or end an account for ever. Its sessions end at once, with their locks."""
    with reporting(json), administering(hub, token, allow_plaintext) as administration:
        administration.revoke(name, filespace)
        if json:
            print_json({"revoked": name, "filespace": filespace})


@app.command(epilog=EPILOG)
def rotate(
    name: _Name,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Give an account a new token and print it, once. The old one and its sessions end at once; its roles stay.

    An account may rotate itself; a workspace admin may rotate others, if it has a role in all of their filespaces.
    """
    with reporting(json), administering(hub, token, allow_plaintext) as administration:
        _print_token(administration.rotate(name), json)


def _print_token(made: NewToken, json: bool) -> None:
    if json:
        print_json({**account_json(made.account), "token": made.token.text()})
        return
    print(f"account {made.account.name}: {_roles(made.account)} (key {fingerprint(made.account)})")
    print("token, shown only now:")
    print(made.token.text())


def _roles(view: AccountView) -> str:
    if view.revoked:
        return "revoked"
    roles = [f"{grant.role} in {grant.filespace_name}" for grant in view.grants]
    return ", ".join((["workspace admin"] if view.workspace_admin else []) + roles) or "-"
