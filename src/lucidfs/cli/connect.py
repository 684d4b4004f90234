"""`lucid connect`: buckets of a filespace, and their objects as files."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lucidfs.cli import options
from lucidfs.cli.buckets import bucket_and_prefix, bucket_keys
from lucidfs.cli.exits import EXIT_CODES, UsageError, reporting
from lucidfs.cli.location import Location, parse_in_filespace
from lucidfs.cli.mirror import Mirrored, Report, mirror
from lucidfs.cli.output import on_terminal, print_json, print_table, shown, size_text
from lucidfs.cli.remote import Remote
from lucidfs.clock import SystemClock
from lucidfs.objects.http import Http
from lucidfs.objects.s3.bucket import S3Bucket, S3Keys
from lucidfs.objects.s3.client import S3Client

if TYPE_CHECKING:
    from lucidlink import ConnectManager, DataStoreInfo

EXAMPLES = """\b
Examples:
  lucid connect add lucidlink://demo/data films s3://my-bucket --region eu-west-1
  lucid connect link lucidlink://demo/data/raw/a.mov films raw/a.mov
  lucid connect link lucidlink://demo/data/set.csv https://example.org/set.csv
  lucid connect mirror s3://my-bucket/raw/ lucidlink://demo/data/raw --delete
  lucid connect ls lucidlink://demo/data films
Keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or are asked for."""

EPILOG = f"{EXAMPLES}\n\n{EXIT_CODES}"
HELP = "Show objects of S3 buckets as files, without copying a byte."

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=HELP, epilog=EPILOG)

_Filespace = Annotated[str, typer.Argument(metavar="FILESPACE", help="lucidlink://WORKSPACE/FILESPACE")]
_Url = Annotated[str, typer.Argument(metavar="URL", help="lucidlink://WORKSPACE/FILESPACE/PATH")]
_Store = Annotated[str, typer.Argument(metavar="NAME", help="Name of the data store.")]


@contextmanager
def _connected(
    url: str, hub: str, token: str, allow_plaintext: bool, json: bool
) -> Iterator[tuple[ConnectManager, Location]]:
    with reporting(json):
        location = parse_in_filespace(url)
        with Remote(hub, token, allow_plaintext) as remote:
            yield remote.filespace(location).connect, location


@app.command(epilog=EPILOG)
def add(
    filespace: _Filespace,
    name: _Store,
    bucket: Annotated[str, typer.Argument(metavar="s3://BUCKET", help="The bucket.")],
    region: Annotated[str, typer.Option("--region", envvar="AWS_REGION", help="Its region.")] = "us-east-1",
    endpoint: Annotated[str, typer.Option("--endpoint", help="http(s)://HOST of the service; AWS if not given.")] = "",
    virtual_addressing: Annotated[
        bool, typer.Option("--virtual-addressing", help="The bucket stands in the host name, not in the path.")
    ] = False,
    url_expiration: Annotated[
        int, typer.Option("--url-expiration", metavar="MINUTES", help="Life of signed URLs, 4320 to 10080.")
    ] = 10_080,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Attach a bucket under a name. S3 is asked whether it answers to the keys before anything is stored."""
    with _connected(filespace, hub, token, allow_plaintext, json) as (connect, _):
        from lucidlink import S3DataStoreConfig

        access_key, secret_key = bucket_keys()
        config = S3DataStoreConfig(
            access_key, secret_key, _bucket_name(bucket), region, endpoint, url_expiration, virtual_addressing
        )
        made = connect.add_data_store(name, config)
        if json:
            print_json(_store_json(made))
        else:
            print(f"data store {shown(made.name)}: s3://{made.bucket_name}")


@app.command("list", epilog=EPILOG)
def list_(
    filespace: _Filespace,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """List the data stores of a filespace, without their secrets."""
    with _connected(filespace, hub, token, allow_plaintext, json) as (connect, _):
        stores = [(store, connect.count_external_files(store.name)) for store in connect.list_data_stores()]
        if json:
            print_json([{**_store_json(store), "files": files} for store, files in stores])
        elif stores:
            rows = [("name", "bucket", "region", "endpoint", "files")]
            for store, files in stores:
                rows.append((shown(store.name), store.bucket_name, store.region, store.endpoint or "AWS", str(files)))
            print_table(rows, right=frozenset({4}))


@app.command(epilog=EPILOG)
def remove(
    filespace: _Filespace,
    name: _Store,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Detach a bucket from which nothing is linked. Its objects stay."""
    with _connected(filespace, hub, token, allow_plaintext, json) as (connect, _):
        connect.remove_data_store(name)
        if json:
            print_json({"removed": name})


@app.command(epilog=EPILOG)
def rekey(
    filespace: _Filespace,
    name: _Store,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Give a data store new keys, once S3 has answered to them."""
    with _connected(filespace, hub, token, allow_plaintext, json) as (connect, _):
        access_key, secret_key = bucket_keys()
        connect.rekey_data_store(name, new_access_key=access_key, new_secret_key=secret_key)
        if json:
            print_json({"rekeyed": name, "access_key": access_key})


@app.command(epilog=EPILOG)
def link(
    url: _Url,
    source: Annotated[str, typer.Argument(metavar="NAME|HTTP_URL", help="Data store, or the URL of a file.")],
    key: Annotated[str, typer.Argument(metavar="KEY", help="Of the object in the data store.")] = "",
    size: Annotated[int | None, typer.Option("--size", metavar="BYTES", help="With --checksum: do not ask S3.")] = None,
    checksum: Annotated[str, typer.Option("--checksum", metavar="ETAG", help="The object's ETag.")] = "",
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Show an object, or what an http(s) URL gives, as a file. Folders above it are made."""
    with _connected(url, hub, token, allow_plaintext, json) as (connect, location):
        if source.startswith(("http://", "https://")):
            connect.link_http_file(location.path, source, size=size)
        elif not key:
            raise UsageError("which object? write NAME KEY, or an http(s) URL")
        else:
            connect.link_file(location.path, source, key, size, checksum)
        if json:
            print_json({"linked": str(location)})


@app.command(epilog=EPILOG)
def unlink(
    urls: Annotated[list[str], typer.Argument(metavar="URL", help="External files.")],
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Remove external files; their objects stay."""
    with reporting(json):
        locations = [parse_in_filespace(url) for url in urls]
        with Remote(hub, token, allow_plaintext) as remote:
            for location in locations:
                remote.filespace(location).connect.unlink_file(location.path)
        if json:
            print_json({"unlinked": [str(location) for location in locations]})


@app.command(epilog=EPILOG)
def ls(
    filespace: _Filespace,
    name: _Store,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """List the files that are linked from a data store; with --json one object on each line."""
    with _connected(filespace, hub, token, allow_plaintext, json) as (connect, _):
        for file in connect.iter_external_files(name):
            if json:
                sys.stdout.write(_line({"path": file.path, "key": file.object_id, "size": file.size}))
            else:
                print(f"{size_text(file.size):>8}  {shown(file.path)}  {shown(file.object_id)}")


@app.command("mirror", epilog=EPILOG)
def mirror_(
    source: Annotated[str, typer.Argument(metavar="s3://BUCKET/PREFIX", help="What to show.")],
    url: _Url,
    store_name: Annotated[
        str, typer.Option("--store", metavar="NAME", help="Data store of the bucket, where there are several.")
    ] = "",
    delete: Annotated[bool, typer.Option("--delete", help="Unlink files whose objects are gone.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    watch: Annotated[
        float, typer.Option("--watch", min=0, metavar="SECONDS", show_default=False, help="Do it again and again.")
    ] = 0,
    hub: options.HubOption = options.HUB_DEFAULT,
    token: options.TokenOption = "",
    allow_plaintext: options.PlaintextOption = False,
    json: options.JsonOption = False,
) -> None:
    """Keep a folder like a prefix of a bucket: link what is new, follow what has another ETag.

    The bucket must be a data store of the filespace (`lucid connect add`). It is listed with that store's keys, which
    only admins of the filespace get; others give keys in the environment.
    """
    with _connected(url, hub, token, allow_plaintext, json) as (connect, location):
        bucket, prefix = bucket_and_prefix(source)
        store = _store_with_keys(connect, _store_of(connect, bucket, store_name))
        where = S3Bucket(store.bucket_name, store.region, store.endpoint, store.use_virtual_addressing)
        http = Http()
        try:
            client = S3Client(where, S3Keys(store.access_key, store.secret_key), SystemClock(), http)
            while True:
                done = mirror(
                    connect, store.name, client.list(prefix), prefix, location.path,
                    delete=delete, dry_run=dry_run, report=_report(json),
                )  # fmt: skip
                _tell(done, json, dry_run)
                if not watch:
                    return
                time.sleep(watch)
        finally:
            http.close()


def _report(json: bool) -> Report:
    watched = on_terminal() and not json

    def change(verb: str, path: str) -> None:
        if json:
            sys.stdout.write(_line({"change": verb, "path": path}))
        else:
            print(f"{verb:>6}  {shown(path)}")

    def progress(objects: int) -> None:
        if watched:
            sys.stderr.write(f"\r{objects} objects\r")

    return Report(change, progress)


def _tell(done: Mirrored, json: bool, dry_run: bool) -> None:
    if json:
        sys.stdout.write(_line({**done._asdict(), "dry_run": dry_run}))
    else:
        gone = f"{done.unlinked} unlinked" if done.unlinked else f"{done.vanished} gone from the bucket"
        print(
            f"{done.objects} objects: {done.linked} linked, {done.changed} changed, {gone}, {done.skipped} skipped"
            + (" (nothing was done)" if dry_run else "")
        )
    sys.stdout.flush()


def _line(value: dict[str, Any]) -> str:
    import msgspec

    return msgspec.json.encode(value).decode() + "\n"


def _store_of(connect: ConnectManager, bucket: str, name: str) -> DataStoreInfo:
    """The data store of a bucket, without its secret."""
    found = [store for store in connect.list_data_stores() if name in ("", store.name) and store.bucket_name == bucket]
    if not found:
        named = f" of the name {name}" if name else ""
        raise FileNotFoundError(
            2, f"there is no data store{named} on that bucket: `lucid connect add` makes one", bucket
        )
    if len(found) > 1:
        names = ", ".join(store.name for store in found)
        raise UsageError(f"several data stores are on that bucket ({names}): name one with --store")
    return found[0]


def _store_with_keys(connect: ConnectManager, store: DataStoreInfo) -> DataStoreInfo:
    """The same with keys that may list its bucket."""
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        access_key, secret_key = bucket_keys()
        return dataclasses.replace(store, access_key=access_key, secret_key=secret_key)
    found = connect.get_data_store(store.name)
    if found is None:
        raise FileNotFoundError(2, "the data store was removed", store.name)
    return found


def _bucket_name(text: str) -> str:
    bucket, prefix = bucket_and_prefix(text)
    if prefix:
        raise UsageError(f"{text!r} is more than a bucket: write s3://BUCKET")
    return bucket


def _store_json(store: DataStoreInfo) -> dict[str, Any]:
    return {
        "name": store.name,
        "bucket": store.bucket_name,
        "region": store.region,
        "endpoint": store.endpoint,
        "access_key": store.access_key,
        "url_expiration_minutes": store.url_expiration_minutes,
    }
