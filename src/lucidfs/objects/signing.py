"""Signed object URLs: permission to move one object's bytes, given by whoever holds the hub's signing key."""

from __future__ import annotations

import hashlib
import hmac

from lucidfs.errors import Code, Fault
from lucidfs.objects.base import ObjectName
from lucidfs.types import FilespaceId, ObjectId, id_text, id_value

METHODS = ("GET", "PUT")
PATH = "objects"  # <hub>/objects/<filespace>/<object>


def sign_url(key: bytes, base: str, method: str, name: ObjectName, expires_s: int) -> str:
    """A URL that lets its bearer `method` one object until a time.

    Args:
        key: the hub's own signing key.
        base: URL of the hub, with or without a slash at the end.
        method: "GET" or "PUT".
        name: the object.
        expires_s: Unix seconds.
    """
    assert method in METHODS, f"no URL is signed for {method}"
    filespace, object_, expires = id_text(name.filespace), id_text(name.object), str(expires_s)
    signature = _signature(key, method, filespace, object_, expires)
    return f"{base.rstrip('/')}/{PATH}/{filespace}/{object_}?expires={expires}&signature={signature}"


def verify(
    key: bytes, method: str, filespace: str, object: str, expires: str, signature: str, now_s: float
) -> ObjectName:
    """The object that a request may move, from the texts of its URL.

    Args:
        key: the hub's own signing key.
        method: of the request.
        filespace, object: the two segments of the path.
        expires, signature: the two parameters of the query.
        now_s: Unix seconds.

    Raises:
        Fault: DENIED, in the same words whatever is wrong.
    """
    expected = _signature(key, method, filespace, object, expires)
    if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace")):
        raise _refusal()
    try:
        name = ObjectName(FilespaceId(id_value(filespace)), ObjectId(id_value(object)))
        ended = now_s >= int(expires)
    except ValueError:
        raise _refusal() from None
    if ended:
        raise _refusal()
    return name


def _signature(key: bytes, method: str, filespace: str, object_: str, expires: str) -> str:
    text = "\n".join((method, filespace, object_, expires)).encode("utf-8", "replace")
    return hmac.new(key, text, hashlib.sha256).hexdigest()


def _refusal() -> Fault:
    return Fault(Code.DENIED, "this URL is not signed for that, or its time has passed")
