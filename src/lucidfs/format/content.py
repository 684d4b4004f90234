"""Content maps: the MAC that makes a list of extents trustworthy, whoever kept it."""

from __future__ import annotations

import hmac
import struct
from collections.abc import Iterable

from lucidfs.crypto.keys import FilespaceKeys
from lucidfs.errors import Code, Fault
from lucidfs.namespace import extents as runs
from lucidfs.wire.messages import Content, Extent

_LABEL = b"map1"
_HEAD = struct.Struct(">QQQI")
_RUN = struct.Struct(">QQQQQ")


def content_mac(keys: FilespaceKeys, node: int, size: int, generation: int, extents: Iterable[Extent]) -> bytes:
    """The 16-byte MAC over what a file's content is: not over where its frames stand.

    Args:
        keys: the filespace's keys.
        node: the file.
        size: in bytes.
        generation: of the commit that makes this content.
        extents: all of them, sorted; how they are cut makes no difference.
    """
    logical = runs.canonical(extents)
    head = _HEAD.pack(node, size, generation, len(logical))
    return keys.map_mac(b"".join((_LABEL, head, *(_RUN.pack(*run) for run in logical))))


def check_content(keys: FilespaceKeys, node: int, content: Content) -> None:
    """Make sure that a whole content (all pages of extents joined, `more` False) is one that a client published.

    Raises:
        Fault: CORRUPT when the MAC does not fit the node, size, generation and extents, when the extents are not
            such as a client makes, or point outside the small bytes that came with them.
    """
    if content.more or content.generation < 0:
        raise Fault(Code.CORRUPT, "the content map is incomplete or malformed")
    try:
        runs.validate(content.extents, content.size)
    except Fault as fault:
        raise Fault(Code.CORRUPT, f"the content map is malformed: {fault.message}") from None
    expected = content_mac(keys, node, content.size, content.generation, content.extents)
    if not hmac.compare_digest(expected, content.mac):
        raise Fault(Code.CORRUPT, "the content map was changed, mixed or belongs to another file")
    for extent in content.extents:
        if not extent.object and extent.offset + sum(extent.lengths) > len(content.small):
            raise Fault(Code.CORRUPT, "the content map points outside the bytes that came with it")
