"""What a refusal of S3 means: its status and the code in its XML body, as faults that say what to do."""

from __future__ import annotations

import re
from typing import NamedTuple

from lucidfs.errors import Code, Fault
from lucidfs.objects.http import Answer

_BODY_BYTES_MAX = 16 * 1024
_WORD = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Refusal(NamedTuple):
    """A status with what the body says about it; empty where it says nothing usable."""

    status: int
    code: str  # of S3, such as "NoSuchKey"
    region: str  # where the bucket is, when it was asked for in another one


def read_refusal(answer: Answer) -> Refusal:
    """Read the body of an answer that is no success."""
    body = answer.read_some(_BODY_BYTES_MAX).decode("utf-8", "replace")
    region = answer.headers.get("x-amz-bucket-region", "") or _tag(body, "Region")
    return Refusal(answer.status, _tag(body, "Code"), region if _WORD.fullmatch(region) else "")


def refused(refusal: Refusal, what: str) -> Exception:
    """The exception to raise.

    Args:
        refusal: of a request.
        what: which object or bucket of which store, for the message.

    Returns:
        FileNotFoundError, EOFError (the object ends before the range), or a Fault: NOT_FOUND (no such bucket),
        REPLACED (If-Match failed), EXISTS (If-None-Match failed), DENIED, INVALID (another region), UNAVAILABLE.
    """
    status, code, region = refusal
    said = f"S3 answered {status}{' ' + code if code else ''}"
    if status in (301, 307) or code in (
        "AuthorizationHeaderMalformed",
        "PermanentRedirect",
        "IllegalLocationConstraint",
    ):
        where = f" It is in the region {region!r}: use that one." if region else ""
        return Fault(Code.INVALID, f"{what}: {said}: region or endpoint are not those of the bucket.{where}")
    if code == "NoSuchBucket":
        return Fault(Code.NOT_FOUND, f"{what}: {said}: there is no such bucket")
    if status == 404:
        return Fault(Code.NOT_FOUND, f"{what}: {said}: there is no such object; if it was deleted, remove its link")
    if status in (409, 412):
        return Fault(Code.REPLACED, f"{what}: {said}: the object was replaced; link it again")
    if status == 416:
        return EOFError(f"{what}: {said}: it ends before the range does")
    if status in (401, 403) or code in _DENIED:
        return Fault(Code.DENIED, f"{what}: {said}: {_DENIED.get(code, 'the credentials do not permit this')}")
    if status == 507:
        return Fault(Code.NO_SPACE, f"{what}: {said}")
    if status in (405, 501):
        return Fault(Code.UNSUPPORTED, f"{what}: {said}")
    return Fault(Code.INVALID, f"{what}: {said}")


_ELSEWHERE = ("AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraint")
_DENIED = {
    "InvalidAccessKeyId": "there is no such access key",
    "SignatureDoesNotMatch": "the secret key is wrong",
    "AccessDenied": "the credentials do not permit this, or the signed URL has ended",
    "RequestTimeTooSkewed": "the clock of whoever signed is more than 15 minutes off",
    "ExpiredToken": "the credentials have ended",
}


def _tag(body: str, name: str) -> str:
    """The text of one element; a body that says something unusual says nothing."""
    _, opened, rest = body.partition(f"<{name}>")
    text = rest.partition(f"</{name}>")[0] if opened else ""
    return text if _WORD.fullmatch(text) else ""
