"""`lucid filespace`: create, list, show, move, rename and delete filespaces."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any

import msgspec
import typer

from lucidfs.cli import options
from lucidfs.cli.admin import administering
from lucidfs.cli.bucket import UNCONDITIONAL, bucket_of, keys
from lucidfs.cli.exits import EXIT_CODES, UsageError, reporting
from lucidfs.cli.output import print_json, print_table, size_text
from lucidfs.engine.administration import Administration
from lucidfs.errors import Code, Fault
from lucidfs.wire.management import FilespaceView, MoveView, is_filespace_name

EXAMPLES = """\b
Examples:
  lucid filespace create production-data
  lucid filespace create archive --store s3://bucket/prefix --region eu-central-1
  lucid filespace show archive
  lucid filespace move-store archive --to s3://other-bucket/prefix --no-wait
  lucid filespace move-store archive --to local
  lucid filespace list
  lucid filespace rename production-data archive-2024
  lucid filespace delete archive-2024 --yes"""

EPILOG = f"{EXAMPLES}\n\n{EXIT_CODES}"

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make and end filespaces.", epilog=EPILOG)

_LOOK_S = 1.0  # between two looks at how far a move is
_Endpoint = Annotated[
    str, typer.Option("--endpoint", metavar="URL", help="Of an S3 server that is not AWS: http(s)://HOST:PORT.")
]
_Region = Annotated[str, typer.Option("--region", envvar=["AWS_REGION", "AWS_DEFAULT_REGION"], help="Of the bucket.")]
_Virtual = Annotated[
    bool, typer.Option("--virtual-addressing", help="Address it as BUCKET.HOST; AWS wants that for new buckets.")
]
_Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the filespace.")]


def filespace_json(view: FilespaceView, workspace: str) -> dict[str, Any]:
    """A filespace for programs; `role` is the asking account's, null when it has none."""
    full_name = f"{view.name}.{workspace}"
    store = msgspec.to_builtins(view.store)
    about = {"id": view.id, "name": view.name, "full_name": full_name, "created": view.created, "role": view.role}
    return {**about, "store": store}


def store_text(view: FilespaceView) -> str:
    """Where its objects are, for people."""
    return view.store.url if view.store is not None else "hub"


@app.command(epilog=EPILOG)
def create(
    name: _Name,
    store: Annotated[
        str, typer.Option("--store", metavar="s3://BUCKET/PREFIX", help="Keep its objects in this S3 bucket.")
    ] = "",
    endpoint: _Endpoint = "",
    region: _Region = "us-east-1",
    virtual_addressing: _Virtual = False,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Make an empty filespace. Its key is made here and never leaves in the clear; your account becomes its admin.

    With --store its objects, which are sealed, go straight from clients to that S3 bucket. The keys of the bucket come
    from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or you are asked for them; they must permit to list, get, put and
    delete below the prefix, which is tried first. The hub keeps them sealed and never tells them.
    """
    with reporting(json), administering(hub, token, allow_plaintext) as administration:
        bucket = bucket_of(store, endpoint, region, virtual_addressing) if store or endpoint else None
        made = administration.create_filespace(_checked(name), bucket)
        if json:
            print_json(filespace_json(made, administration.workspace()))
            return
        where = f", its objects in {made.store.url}" if made.store is not None else ""
        print(f"filespace {made.name} ({made.id}) in workspace {administration.workspace()}{where}")
        if made.store is not None and not made.store.conditional:
            typer.echo(f"lucid: warning: {UNCONDITIONAL}", err=True)


@app.command("list", epilog=EPILOG)
def list_(
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """List the filespaces that this account may use; all of them for a workspace admin."""
    with reporting(json), administering(hub, token, allow_plaintext) as administration:
        views = administration.filespaces()
        if json:
            print_json([filespace_json(view, administration.workspace()) for view in views])
        elif views:
            rows = [("name", "id", "role", "created", "store")]
            print_table(rows + [(v.name, v.id, v.role or "-", v.created, store_text(v)) for v in views])


@app.command(epilog=EPILOG)
def show(
    name: _Name,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Show one filespace: its id, your role in it, and where its objects are."""
    with reporting(json), administering(hub, token, allow_plaintext) as administration:
        view = administration.filespace(name)
        if json:
            print_json(filespace_json(view, administration.workspace()))
            return
        print(f"name      {view.name}.{administration.workspace()}")
        print(f"id        {view.id}")
        print(f"created   {view.created}")
        print(f"role      {view.role or '-'}")
        print(f"store     {store_text(view)}")
        if view.store is not None:
            style = "virtual-hosted" if view.store.virtual else "path"
            print(f"endpoint  {view.store.endpoint or 'AWS'} ({style} addresses), region {view.store.region}")
            if not view.store.conditional:
                print(f"warning   {UNCONDITIONAL}")
        _show_move(administration, view.id)


@app.command("rekey-store", epilog=EPILOG)
def rekey_store(
    name: _Name,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Give the hub new keys to a filespace's bucket. They come from the environment, or you are asked for them."""
    with reporting(json), administering(hub, token, allow_plaintext) as administration:
        view = administration.rekey_store(name, *keys())
        if json:
            print_json(filespace_json(view, administration.workspace()))


@app.command("move-store", epilog=EPILOG)
def move_store(
    name: _Name,
    to: Annotated[str, typer.Option("--to", metavar="PLACE", help="s3://BUCKET/PREFIX, or local: the hub's folder.")],
    endpoint: _Endpoint = "",
    region: _Region = "us-east-1",
    virtual_addressing: _Virtual = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Stay until the new place has everything.")] = True,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Move a filespace's objects to another store, while its clients go on.

    The hub copies them; it goes on by itself when this command or the hub ends, and the same command shows how far it
    is. The new place takes over when it has everything, an hour and a half after the start at the earliest, because
    clients may still use what they were permitted before; the old copies go an hour and a quarter later. Until it
    has taken over, naming the old place moves everything back. The keys of a bucket come from the environment, as for
    `create`.
    """
    with reporting(json), administering(hub, token, allow_plaintext) as administration:
        told = administration.move(name)
        here = told.place if told.state != "copying" else told.other
        if here != to.rstrip("/"):
            bucket = None if to == "local" else bucket_of(to, endpoint, region, virtual_addressing, option="--to")
            told = administration.move_store(name, bucket)
        while wait and told.state == "copying":
            if not json:
                print_move(told)
            time.sleep(_LOOK_S)
            told = administration.move(name)
        if json:
            print_json(msgspec.to_builtins(told))
        else:
            print_move(told)


def _show_move(administration: Administration, filespace: str) -> None:
    try:
        told = administration.move(filespace)
    except Fault as fault:
        if fault.code is not Code.DENIED:  # it is shown to the admins of a filespace
            raise
        return
    if told.state != "none":
        print("move      ", end="")
        print_move(told)


def print_move(told: MoveView) -> None:
    """One line that says how far a move is."""
    if told.state == "none":
        print(f"its objects are in {told.place}")
    elif told.state == "emptying":
        print(f"its objects are in {told.place}; the old copies in {told.other} are deleted after their grace")
    else:
        done = f"{size_text(told.bytes)} of {size_text(told.bytes_total)}"
        failing = f"; does not go on: {told.failing}" if told.failing else ""
        print(
            f"{told.place} to {told.other}: {told.objects} of {told.objects_total} objects, {done}{failing}", flush=True
        )


@app.command(epilog=EPILOG)
def rename(
    name: _Name,
    new_name: Annotated[str, typer.Argument(metavar="NEW_NAME", help="Its name from now on.")],
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Give a filespace another name. Its id stays, and clients that have it linked go on."""
    with reporting(json), administering(hub, token, allow_plaintext) as administration:
        renamed = administration.rename_filespace(name, _checked(new_name))
        if json:
            print_json(filespace_json(renamed, administration.workspace()))


@app.command(epilog=EPILOG)
def delete(
    name: _Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Needed where nobody can be asked.")] = False,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Delete a filespace with every file in it. There is no way back."""
    with reporting(json), administering(hub, token, allow_plaintext) as administration:
        found = administration.filespace(name)
        if not yes:
            _ask(found.name)
        administration.delete_filespace(found.id)
        if json:
            print_json({"deleted": filespace_json(found, administration.workspace())})


def _checked(name: str) -> str:
    if not is_filespace_name(name):
        raise UsageError(f"{name!r} cannot be a filespace's name: letters, digits, - and _, at most 63, no dot")
    return name


def _ask(name: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError(f"deleting {name} needs --yes where nobody can be asked")
    if input(f"Type the name of the filespace to delete it with everything in it ({name}): ") != name:
        raise UsageError("that is not its name: nothing deleted")
