"""`lucid status`: what goes on at a hub."""

from __future__ import annotations

import msgspec

from lucidfs.cli import options
from lucidfs.cli.admin import administering
from lucidfs.cli.exits import reporting
from lucidfs.cli.output import print_json, print_table, size_text
from lucidfs.wire.management import HubStatus

EXAMPLES = """\b
Examples:
  lucid status
  lucid status --json | jq .uploads             # is anything stuck?"""


def status(
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Show clients, locks, filespaces, and uploads that were never committed.

    A leftover is an upload of a client that is gone; the hub deletes it after a week. A stuck one is older than a
    day and its client is still there: a file that somebody opened for writing and never closes. Clients of others
    are shown to admins only.
    """
    with reporting(json), administering(hub, token, allow_plaintext) as administration:
        told, workspace = administration.status(), administration.workspace()
        if json:
            print_json({"hub": hub, "workspace": workspace, **msgspec.to_builtins(told)})
        else:
            _print(told, hub, workspace)


def _print(told: HubStatus, hub: str, workspace: str) -> None:
    print(f"hub {hub}, up since {told.started}; workspace {workspace}")
    print(
        f"{told.sessions} clients; {told.locks} locks held, {told.locks_waiting} waited for;"
        f" {told.changes_waiting} changes in the queue"
    )
    uploads = told.uploads
    if uploads.at is None:
        print("uploads without a commit: not looked for yet (the hub looks every quarter of an hour)")
    else:
        print(
            f"uploads without a commit at {uploads.at}: {uploads.objects} ({size_text(uploads.bytes)}),"
            f" {uploads.leftover} leftover ({size_text(uploads.leftover_bytes)}), {uploads.stuck} stuck"
        )
    if told.filespaces:
        print()
        head = ("filespace", "files", "folders", "links", "data", "stored", "store")
        rows = [
            (
                each.name,
                str(each.files),
                str(each.folders),
                str(each.links),
                size_text(each.data_bytes),
                size_text(each.storage_bytes),
                each.store or "hub",
            )
            for each in told.filespaces
        ]
        print_table([head, *rows], frozenset(range(1, 6)))
    if told.clients:
        print()
        heads = ("client", "account", "filespace", "since", "state", "locks")
        clients = [
            (
                each.session,
                each.account,
                each.filespace or "-",
                each.since,
                "connected" if each.connected else "away",
                str(each.locks),
            )
            for each in told.clients
        ]
        print_table([heads, *clients], frozenset({5}))
