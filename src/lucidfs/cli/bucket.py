"""The bucket that a command names: `s3://bucket/prefix`, its keys from the environment or a prompt, no argument."""

from __future__ import annotations

import os
import re
import sys

import typer

from lucidfs.cli.exits import UsageError
from lucidfs.wire.management import NewStore

UNCONDITIONAL = (
    "the S3 server ignores If-None-Match: a second upload under one number would replace the first instead of being"
    " refused"
)

_URL = re.compile(r"s3://([^/]+)(?:/(.*))?", re.DOTALL)
_KEY = re.compile(r"[!-~]{1,256}")


def bucket_of(url: str, endpoint: str, region: str, virtual: bool, *, option: str = "--store") -> NewStore:
    """The bucket at a URL, and the keys to it.

    Args:
        url: s3://bucket or s3://bucket/prefix.
        endpoint: of the server; empty: AWS.
        region: of the bucket.
        virtual: the bucket stands in the host name.
        option: that the URL was given with, for messages.

    Raises:
        UsageError: the URL is none, or there are no keys and nobody can be asked.
    """
    parts = _URL.fullmatch(url)
    if parts is None:
        raise UsageError(f"{url!r} is no bucket: write {option} s3://BUCKET/PREFIX")
    access_key, secret_key = keys()
    return NewStore(
        bucket=parts[1],
        prefix=parts[2] or "",
        region=region,
        endpoint=endpoint,
        virtual=virtual,
        access_key=access_key,
        secret_key=secret_key,
    )


def keys() -> tuple[str, str]:
    """Access key and secret, from the environment or asked for.

    Raises:
        UsageError: nobody can be asked, what is given is no key, or it is a temporary one.
    """
    if os.environ.get("AWS_SESSION_TOKEN"):
        raise UsageError("the keys in the environment are temporary (AWS_SESSION_TOKEN): a hub needs keys that last")
    secret_question = "Secret access key (not shown)"
    return _key("AWS_ACCESS_KEY_ID", "Access key id"), _key("AWS_SECRET_ACCESS_KEY", secret_question)


def _key(variable: str, question: str) -> str:
    """From the environment, else asked for. Raises UsageError."""
    text = os.environ.get(variable, "")
    if not text:
        if not sys.stdin.isatty():
            raise UsageError(f"the keys of the bucket are missing: set {variable}")
        text = str(typer.prompt(question, hide_input="SECRET" in variable, err=True))
    text = text.strip()
    if not _KEY.fullmatch(text):
        raise UsageError(f"{variable} is no key: up to 256 printable letters without spaces")
    return text
