"""Content maps: any lie about what a file consists of is noticed; where its frames stand is free to change."""

from __future__ import annotations

import hashlib
import hmac
import os

import pytest

from lucidfs.crypto.keys import FilespaceKeys
from lucidfs.errors import Code, Fault
from lucidfs.format.content import check_content, content_mac
from lucidfs.limits import FRAME_BYTES
from lucidfs.namespace.extents import split
from lucidfs.wire.messages import Content, Extent

KEY = bytes(range(32))
KEYS = FilespaceKeys(KEY, os.urandom)
NODE, SIZE, GENERATION = 5, 10 * FRAME_BYTES - 3, 77
EXTENTS = [
    Extent(0, 4, NODE, 0, 70, object=9, offset=0, lengths=[100, 200, 300, 400]),
    Extent(4, 2, NODE, 4, 71, object=9, offset=1000, lengths=[500, 600]),
    Extent(9, 1, 6, 2, 72, object=3, offset=50, lengths=[40]),
]


def content(
    extents: list[Extent] = EXTENTS,
    size: int = SIZE,
    generation: int = GENERATION,
    small: bytes = b"",
    mac: bytes | None = None,
    more: bool = False,
) -> Content:
    made = content_mac(KEYS, NODE, SIZE, GENERATION, EXTENTS) if mac is None else mac
    return Content(4, size, generation, made, extents, small, more)


def refused(value: Content, node: int = NODE) -> str:
    with pytest.raises(Fault) as caught:
        check_content(KEYS, node, value)
    assert caught.value.code is Code.CORRUPT
    return caught.value.message


def test_what_a_client_made_is_accepted() -> None:
    check_content(KEYS, NODE, content())
    check_content(KEYS, NODE, Content(0, 0, 0, content_mac(KEYS, NODE, 0, 0, [])))


def test_the_mac_is_made_as_documented() -> None:
    map_key = hmac.new(KEY, b"lucid/v1/map\x01", hashlib.sha256).digest()
    runs = [(0, 4, NODE, 0, 70), (4, 2, NODE, 4, 71), (9, 1, 6, 2, 72)]
    numbers = b"".join(number.to_bytes(8, "big") for run in runs for number in run)
    head = b"map1" + b"".join(number.to_bytes(8, "big") for number in (NODE, SIZE, GENERATION)) + b"\0\0\0\x03"
    assert content_mac(KEYS, NODE, SIZE, GENERATION, EXTENTS) == hmac.digest(map_key, head + numbers, "sha256")[:16]


def test_cuts_and_places_are_free() -> None:
    first = EXTENTS[0]
    moved = Extent(0, 4, NODE, 0, 70, object=99, offset=12, lengths=[101, 200, 300, 400])
    check_content(KEYS, NODE, content([moved, *EXTENTS[1:]]))
    check_content(KEYS, NODE, content([split(first, 0, 1), split(first, 1, 4), *EXTENTS[1:]]))


@pytest.mark.parametrize(
    "extents",
    [
        [],
        EXTENTS[:-1],
        EXTENTS[1:],
        [*EXTENTS[:2], Extent(8, 1, 6, 2, 72, 3, 50, [40])],
        [*EXTENTS[:2], Extent(9, 1, 7, 2, 72, 3, 50, [40])],
        [*EXTENTS[:2], Extent(9, 1, 6, 3, 72, 3, 50, [40])],
        [*EXTENTS[:2], Extent(9, 1, 6, 2, 73, 3, 50, [40])],
        [split(EXTENTS[0], 0, 3), *EXTENTS[1:]],
        [EXTENTS[0], Extent(4, 2, NODE, 4, 70, 9, 1000, [500, 600]), EXTENTS[2]],
    ],
)
def test_dropped_moved_and_grafted_extents_are_noticed(extents: list[Extent]) -> None:
    refused(content(extents))


def test_another_size_generation_node_key_or_mac_is_noticed() -> None:
    refused(content(size=SIZE - 1))
    refused(content(size=SIZE + FRAME_BYTES))
    refused(content(generation=GENERATION + 1))
    refused(content(), NODE + 1)
    refused(content(mac=bytes(16)))
    refused(content(mac=content().mac[:15]))
    refused(content(mac=b""))
    with pytest.raises(Fault):
        check_content(FilespaceKeys(bytes(32), os.urandom), NODE, content())


def test_malformed_maps_are_refused_before_anything_is_read_by_them() -> None:
    assert "malformed" in refused(content(generation=-1))
    assert "malformed" in refused(content(size=-1))
    assert "malformed" in refused(content(EXTENTS[::-1]))
    assert "malformed" in refused(content([Extent(0, 4, NODE, 0, 70, 9, 0, [100] * 3), *EXTENTS[1:]]))
    assert "malformed" in refused(content([Extent(0, 4, NODE, 0, 70, 9, 0, [10**9] * 4), *EXTENTS[1:]]))
    assert "incomplete" in refused(content(more=True))


def test_a_small_content_brings_its_bytes() -> None:
    extents = [Extent(0, 2, NODE, 0, 70, lengths=[40, 50])]
    mac = content_mac(KEYS, NODE, SIZE, GENERATION, extents)
    check_content(KEYS, NODE, content(extents, small=bytes(90), mac=mac))
    assert "outside" in refused(content(extents, small=bytes(89), mac=mac))
