"""Buckets as they are written on a command line, and the keys that never are."""

from __future__ import annotations

import os
import sys
from getpass import getpass

from lucidfs.cli.exits import UsageError


def bucket_and_prefix(text: str) -> tuple[str, str]:
    """Bucket and prefix of `s3://bucket/prefix`. Raises UsageError."""
    bucket, _, prefix = text.removeprefix("s3://").partition("/")
    if not text.startswith("s3://") or not bucket:
        raise UsageError(f"{text!r} is no place in a bucket: write s3://BUCKET/PREFIX")
    return bucket, prefix


def bucket_keys() -> tuple[str, str]:
    """Access key and secret, from the environment or whoever sits there; never from arguments, which others can see."""
    found = os.environ.get("AWS_ACCESS_KEY_ID", ""), os.environ.get("AWS_SECRET_ACCESS_KEY", "")
    if all(found):
        return found
    if not sys.stdin.isatty():
        raise UsageError("no keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    return input("Access key: ").strip(), getpass("Secret key: ").strip()
