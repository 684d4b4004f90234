"""Whether a bucket can hold a filespace's objects: tried on a probe before anything is stored in the database."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from lucidfs.clock import Clock
from lucidfs.errors import Code, Fault
from lucidfs.objects.addresses import check_literal, check_outside
from lucidfs.objects.base import ObjectName, ObjectStore
from lucidfs.objects.http import Http
from lucidfs.objects.s3.bucket import S3Bucket, S3Keys
from lucidfs.objects.s3.client import S3Client
from lucidfs.types import FilespaceId, ObjectId

_BODY = b"lucid: whether this bucket can hold a filespace"


def check_bucket(
    bucket: S3Bucket, keys: S3Keys, prefix: str, *, clock: Clock, random: Callable[[int], bytes], private: bool
) -> None:
    """List, put, get, put again and delete a small object below the prefix.

    Args:
        bucket, keys, prefix: of the filespace to be made.
        clock, random: for signatures and the probe's name.
        private: its endpoint may be of a private network.

    Raises:
        Fault: DENIED for an endpoint in a private network, and what S3 refused, in its words; UNSUPPORTED for a
            server that lets a second body replace the first; UNAVAILABLE when it does not answer.
    """
    _check_endpoint(bucket, private)
    http = Http(check_address=None if private else check_literal)
    client, key = S3Client(bucket, keys, clock, http), f"{prefix}.lucid-probe-{random(8).hex()}"
    try:
        client.check()
        client.put(key, _BODY, if_absent=True)
        try:
            if client.get(key, 2, 5) != _BODY[2:7]:
                raise Fault(Code.CORRUPT, f"{bucket}: it returned other bytes than were put")
            _check_conditional(client, key)
        finally:
            client.delete(key)
    except (OSError, EOFError) as error:
        raise Fault(Code.UNAVAILABLE, f"{bucket}: {getattr(error, 'strerror', None) or error}") from None
    finally:
        http.close()


def check_keys(bucket: S3Bucket, keys: S3Keys, *, clock: Clock, private: bool) -> None:
    """List one key of a bucket. Arguments and errors as of `check_bucket`."""
    _check_endpoint(bucket, private)
    http = Http(check_address=None if private else check_literal)
    try:
        S3Client(bucket, keys, clock, http).check()
    except OSError as error:
        raise Fault(Code.UNAVAILABLE, f"{bucket}: {error.strerror or error}") from None
    finally:
        http.close()


def check_apart(here: ObjectStore, there: ObjectStore, filespace: int, number: int) -> None:
    """See that two stores are not one under two names: emptying the one would empty the other.

    Args:
        here: where the filespace's objects are.
        there: where they are to go.
        filespace: whose.
        number: of an object that nobody has, which is put and deleted.

    Raises:
        Fault: INVALID when they are one; UNAVAILABLE, and what S3 refused, when one of them cannot be used.
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
        raise Fault(Code.UNAVAILABLE, f"one of the two places: {getattr(error, 'strerror', None) or error}") from None
    raise Fault(Code.INVALID, "the objects are there already, under another address of the same bucket")


def _check_endpoint(bucket: S3Bucket, private: bool) -> None:
    if not private and bucket.endpoint:
        check_outside(urlsplit(bucket.endpoint).hostname or "", "endpoint")


def _check_conditional(client: S3Client, key: str) -> None:
    """Objects never change: a server must keep the first of two bodies when it is asked to."""
    try:
        client.put(key, _BODY[::-1], if_absent=True)
    except FileExistsError:
        return
    raise Fault(
        Code.UNSUPPORTED,
        f"{client.bucket}: this server ignores If-None-Match, so that it could let one object replace another;"
        " use one that knows conditional writes",
    )
