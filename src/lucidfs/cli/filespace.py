"""`lucid filespace`: create, list, rename and delete filespaces, and move what they hold to another store."""

from __future__ import annotations

import sys
import time
from typing import Annotated, Any

import msgspec
import typer

from lucidfs.cli import options
from lucidfs.cli.admin import administering
from lucidfs.cli.buckets import bucket_and_prefix, bucket_keys
from lucidfs.cli.exits import EXIT_CODES, UsageError, reporting
from lucidfs.cli.output import print_json, print_table, size_text
from lucidfs.wire.management import BucketConfig, FilespaceView, MoveView, is_filespace_name

EXAMPLES = """\b
Examples:
  lucid filespace create production-data
  lucid filespace create films --store s3://my-bucket/films --region eu-west-1
  lucid filespace list
  lucid filespace move-store films --to s3://other-bucket/films --region eu-west-1
  lucid filespace move-store films --to hub     # back into the hub's own folder
  lucid filespace rename production-data archive-2024
  lucid filespace delete archive-2024 --yes"""

EPILOG = f"{EXAMPLES}\n\n{EXIT_CODES}"

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make and end filespaces.", epilog=EPILOG)

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the filespace.")]
_Region = Annotated[str, typer.Option("--region", envvar="AWS_REGION", help="Of the bucket.")]
_Endpoint = Annotated[str, typer.Option("--endpoint", help="http(s)://HOST of the service; AWS if not given.")]
_Virtual = Annotated[bool, typer.Option("--virtual-addressing", help="The bucket stands in the host name.")]
_HUB = "hub"  # the place of objects that are in no bucket
_LOOK_S = 1.0  # between two looks at a move


def filespace_json(view: FilespaceView, workspace: str) -> dict[str, Any]:
    """A filespace for programs; `role` is the asking account's, null when it has none."""
    full_name = f"{view.name}.{workspace}"
    return {
        "id": view.id,
        "name": view.name,
        "full_name": full_name,
        "created": view.created,
        "role": view.role,
        "store": view.store,
    }


@app.command(epilog=EPILOG)
def create(
    name: _Name,
    store: Annotated[
        str, typer.Option("--store", metavar="s3://BUCKET/PREFIX", help="Where its objects go; the hub if not given.")
    ] = "",
    region: _Region = "us-east-1",
    endpoint: _Endpoint = "",
    virtual_addressing: _Virtual = False,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Make an empty filespace. Its key is made here and never leaves in the clear; your account becomes its admin.

    With --store its objects go to a bucket, which the hub tries first. Keys come from AWS_ACCESS_KEY_ID and
    AWS_SECRET_ACCESS_KEY, or are asked for; the hub keeps them sealed.
    """
    with reporting(json):
        bucket = _bucket(store, region, endpoint, virtual_addressing) if store else None
        with administering(hub, token, allow_plaintext) as administration:
            made = administration.create_filespace(_checked(name), bucket)
            if json:
                print_json(filespace_json(made, administration.workspace()))
            else:
                where = f" on {made.store}" if made.store else ""
                print(f"filespace {made.name} ({made.id}) in workspace {administration.workspace()}{where}")


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
            print_table(
                rows + [(view.name, view.id, view.role or "-", view.created, view.store or _HUB) for view in views]
            )


@app.command("move-store", epilog=EPILOG)
def move_store(
    name: _Name,
    to: Annotated[str, typer.Option("--to", metavar="PLACE", help="s3://BUCKET/PREFIX, or hub: the hub's own folder.")],
    region: _Region = "us-east-1",
    endpoint: _Endpoint = "",
    virtual_addressing: _Virtual = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Stay until the new place has taken over.")] = True,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Move a filespace's objects to another store, while its clients go on.

    The hub copies them, and goes on by itself when this command or the hub ends; the same command shows how far it
    is. The new place takes over when it has everything, but not before an hour and a half, because clients may still
    use what they were permitted before; the old copies go an hour and a quarter later. Until the new place has taken
    over, naming the old one moves everything back. Keys come from the environment, as for create.
    """
    with reporting(json), administering(hub, token, allow_plaintext) as administration:
        told = administration.move(name)
        going_to = told.other if told.state == "copying" else told.place
        if (going_to or _HUB).rstrip("/") != to.rstrip("/"):
            bucket = None if to == _HUB else _bucket(to, region, endpoint, virtual_addressing)
            told = administration.move_store(name, bucket)
        while wait and told.state == "copying":
            if not json:
                _print_move(told)
            time.sleep(_LOOK_S)
            told = administration.move(name)
        if json:
            print_json(msgspec.to_builtins(told))
        else:
            _print_move(told)


@app.command("rekey-store", epilog=EPILOG)
def rekey_store(
    name: _Name,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Give the hub new keys to a filespace's bucket, which it tries first. They come as for create."""
    with reporting(json), administering(hub, token, allow_plaintext) as administration:
        view = administration.rekey_store(name, *bucket_keys())
        if json:
            print_json(filespace_json(view, administration.workspace()))


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


def _bucket(store: str, region: str, endpoint: str, virtual_addressing: bool) -> BucketConfig:
    bucket, prefix = bucket_and_prefix(store)
    access_key, secret_key = bucket_keys()
    return BucketConfig(
        bucket=bucket,
        prefix=prefix,
        region=region,
        endpoint=endpoint,
        virtual_addressing=virtual_addressing,
        access_key=access_key,
        secret_key=secret_key,
    )


def _print_move(told: MoveView) -> None:
    """One line that says how far a move is."""
    place, other = told.place or _HUB, told.other or _HUB
    if told.state == "none":
        print(f"the objects are in {place}")
    elif told.state == "emptying":
        print(f"the objects are in {place}; the old copies in {other} are deleted after their grace")
    else:
        done = (
            f"{told.objects} of {told.objects_total} objects, {size_text(told.bytes)} of {size_text(told.bytes_total)}"
        )
        failing = f"; does not go on: {told.failing}" if told.failing else ""
        print(f"{place} to {other}: {done}{failing}", flush=True)


def _checked(name: str) -> str:
    if not is_filespace_name(name):
        raise UsageError(f"{name!r} cannot be a filespace's name: letters, digits, - and _, at most 63, no dot")
    return name


def _ask(name: str) -> None:
    if not sys.stdin.isatty():
        raise UsageError(f"deleting {name} needs --yes where nobody can be asked")
    if input(f"Type the name of the filespace to delete it with everything in it ({name}): ") != name:
        raise UsageError("that is not its name: nothing deleted")
