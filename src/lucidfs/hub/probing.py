"""A bucket is tried before a filespace is put into it: what it will be asked for later, once, with a small object."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from lucidfs.clock import Clock
from lucidfs.errors import Code, Fault
from lucidfs.hub.database.base import StoreRow
from lucidfs.hub.outside import check_address, check_outside
from lucidfs.hub.secrets import Secrets
from lucidfs.hub.stores import bucket_of, secret_place
from lucidfs.limits import PREFIX_BYTES_MAX, STORE_PROBE_TIMEOUT_S
from lucidfs.objects.base import ObjectName, ObjectStore
from lucidfs.objects.http import Http
from lucidfs.objects.s3.bucket import S3Keys
from lucidfs.objects.s3.client import S3Client
from lucidfs.types import FilespaceId, ObjectId
from lucidfs.wire.management import NewStore

_BODY = b"whether a hub can keep objects here"


def tried_store(
    filespace: int,
    wanted: NewStore,
    *,
    secrets: Secrets,
    clock: Clock,
    random: Callable[[int], bytes],
    allow_private: bool,
) -> StoreRow:
    """The row for a filespace's bucket, after it was tried. Blocks for some seconds: call it in a thread.

    Args:
        filespace: whose objects will be there.
        wanted: the bucket and its keys, as the account named them.
        secrets: seals the secret key.
        clock: for signatures.
        random: source of random bytes, for the name of the object that is tried.
        allow_private: addresses that are not public may be used.

    Raises:
        Fault: INVALID, DENIED, NOT_FOUND: what is wrong with the address, the keys or the bucket, as S3 answered it.
            Nothing is stored then.
    """
    row = StoreRow(
        filespace,
        wanted.bucket,
        _whole_prefix(wanted.prefix),
        wanted.region,
        wanted.endpoint.rstrip("/"),
        wanted.virtual,
        True,
        wanted.access_key,
        secrets.seal(wanted.secret_key, secret_place(filespace)),
    )
    bucket = bucket_of(row)
    check_outside(bucket.base, allow_private=allow_private)
    http = Http(1, STORE_PROBE_TIMEOUT_S, None if allow_private else check_address)
    try:
        client = S3Client(bucket, S3Keys(wanted.access_key, wanted.secret_key), clock, http)
        key = f"{row.prefix}.lucid-probe-{random(8).hex()}"
        return row._replace(conditional=_try(client, row.prefix, key))
    finally:
        http.close()


def check_apart(here: ObjectStore, there: ObjectStore, filespace: int, number: int) -> None:
    """See that two stores are not one under two names: emptying the one would empty the other. Blocks.

    Args:
        here: where the filespace's objects are.
        there: where they are to go.
        filespace: whose.
        number: of an object that nobody has, which is put and deleted.

    Raises:
        Fault: INVALID when they are one; and what the stores raise.
    """
    name = ObjectName(FilespaceId(filespace), ObjectId(number))
    try:
        here.put(name, _BODY)
        try:
            there.get(name, 0, 1)
        except FileNotFoundError:
            return
        finally:
            here.delete(name)
    except (OSError, EOFError) as error:
        raise Fault(Code.INVALID, f"one of the two places cannot be used: {_said(error)}") from None
    except Fault as fault:
        code = Code.INVALID if fault.passing else fault.code
        raise Fault(code, f"one of the two places cannot be used: {fault.message}") from None
    raise Fault(Code.INVALID, "the objects are there already, under another address of the same bucket")


def _try(client: S3Client, prefix: str, key: str) -> bool:
    """List, put, get, put again, delete; whether the second put was refused."""
    where, step = f"{client.bucket}/{prefix}", "list"
    try:
        client.check(prefix)
        step = "PUT"
        client.put(key, _BODY)
        try:
            step = "GET"
            if client.get(key, 0, len(_BODY)) != _BODY:
                raise Fault(Code.INVALID, "S3 gave back other bytes than it was given")
            step = "PUT with If-None-Match"
            conditional = _refuses_to_replace(client, key)
        except (Fault, OSError, EOFError):
            with contextlib.suppress(Fault, OSError):
                client.delete(key)
            raise
        step = "DELETE"
        client.delete(key)
        return conditional
    except Fault as fault:
        # What does not work there is no fault of the hub: its own codes would tell the account to wait for the hub.
        code = fault.code if fault.code in (Code.DENIED, Code.NOT_FOUND) else Code.INVALID
        raise Fault(code, f"the bucket {where} cannot be used: {step}: {fault.message}") from None
    except (OSError, EOFError) as error:
        raise Fault(Code.INVALID, f"the bucket {where} cannot be used: {step}: {_said(error)}") from None


def _refuses_to_replace(client: S3Client, key: str) -> bool:
    try:
        client.put(key, _BODY, if_absent=True)
    except FileExistsError:
        return True
    return False


def _said(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _whole_prefix(prefix: str) -> str:
    """A prefix ending with a slash, or none. Raises Fault(INVALID) for one that is no path."""
    bare = prefix.strip("/")
    parts = bare.split("/") if bare else []
    if any(part in ("", ".", "..") or not part.isprintable() for part in parts) or "\\" in bare:
        raise Fault(Code.INVALID, f"prefix: {prefix!r} is not a path of printable names, without empty ones")
    if len(bare.encode("utf-8", "replace")) > PREFIX_BYTES_MAX:
        raise Fault(Code.INVALID, f"prefix: at most {PREFIX_BYTES_MAX} bytes")
    return f"{bare}/" if bare else ""
