"""`lucid locks`: who holds and who waits for which bytes of which file."""

from __future__ import annotations

import asyncio
import os
from typing import Annotated, Any

import msgspec
import typer

from lucidfs.cli import options
from lucidfs.cli.admin import administering
from lucidfs.cli.exits import reporting
from lucidfs.cli.location import SCHEME, Location, parse
from lucidfs.cli.output import print_json, print_table, shown
from lucidfs.cli.remote import check_token
from lucidfs.clock import SystemClock
from lucidfs.crypto.token import Token
from lucidfs.engine.account import login
from lucidfs.engine.administration import Administration
from lucidfs.errors import Code, Fault
from lucidfs.types import id_value
from lucidfs.wire.management import FilespaceView, LockView
from lucidfs.wire.websocket import WebSocketTransport

EXAMPLES = """\b
Examples:
  lucid locks                                                # in all filespaces of the account
  lucid locks lucidlink://demo/production-data               # in one
  lucid locks --json lucidlink://demo/production-data/projects    # of a file, or below a folder"""


def locks(
    url: Annotated[
        str, typer.Argument(metavar="[URL]", help="A workspace, filespace, folder or file.", show_default=False)
    ] = SCHEME,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Show locks that are held, then those that are waited for.

    The hub knows no paths: they are found with the filespace's key. Without a role in a filespace its files are
    shown by their numbers.
    """
    with reporting(json):
        location = parse(url)
        with administering(hub, token, allow_plaintext) as administration:
            found = {view.name: (view, administration.locks(view)) for view in _filespaces(administration, location)}
            workspace = administration.workspace()
        rows: list[dict[str, Any]] = []
        for name, (view, held) in found.items():
            places = _places(hub, token, allow_plaintext, view, held) if held and view.role is not None else {}
            for lock in held:
                path = places.get(lock.node)
                if location.path == "/" or (path is not None and f"{path}/".startswith(f"{location.path}/")):
                    place = str(Location(workspace, name, path)) if path is not None else None
                    rows.append({"url": place, "filespace_name": name, **msgspec.to_builtins(lock)})
        if json:
            print_json(rows)
        elif rows:
            _print(rows)


def _filespaces(administration: Administration, location: Location) -> list[FilespaceView]:
    if location.workspace and location.workspace != administration.workspace():
        raise Fault(
            Code.NOT_FOUND, f"this token is of the workspace {administration.workspace()}, not {location.workspace}"
        )
    if location.filespace:
        return [administration.filespace(location.filespace)]
    return administration.filespaces()


def _places(hub: str, token: str, allow_plaintext: bool, view: FilespaceView, held: list[LockView]) -> dict[str, str]:
    """The paths of locked nodes, as far as they are still there."""

    async def look() -> dict[str, str]:
        transport = WebSocketTransport(hub, allow_plaintext)
        account = await login(transport, Token.parse(check_token(token)), clock=SystemClock(), random=os.urandom)
        engine = await account.link(id_value(view.id))
        places: dict[str, str] = {}
        try:
            for node in {lock.node for lock in held}:
                try:
                    places[node] = await engine.tree.path_of(id_value(node))
                except Fault as fault:
                    if fault.code is not Code.NOT_FOUND:  # deleted meanwhile
                        raise
        finally:
            await engine.close(sync=False)
        return places

    return asyncio.run(look())


def _print(rows: list[dict[str, Any]]) -> None:
    head = ("file", "bytes", "mode", "account", "client", "since", "state")
    cells = [
        (
            shown(row["url"] or f"{row['filespace_name']}: node {row['node']}"),
            _range(row["offset"], row["length"]),
            row["mode"],
            row["account"],
            row["session"],
            row["since"],
            "waits" if row["waiting"] else "holds",
        )
        for row in rows
    ]
    print_table([head, *cells])


def _range(offset: int, length: int) -> str:
    """A byte range for people."""
    if not length:
        return "all" if not offset else f"{offset}-"
    return f"{offset}-{offset + length - 1}"
