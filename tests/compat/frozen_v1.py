"""How the frozen bytes of format version 1 (frozen_v1.json) were made. Run it to see what today's code makes; what is
in the file is never replaced.

Keys are fixed, and randomness is a counter hashed, so that sealing is repeatable.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable

from lucidfs.crypto.account import AccountKeys, filespace_id, seal_filespace_key
from lucidfs.crypto.keys import FilespaceKeys
from lucidfs.crypto.token import Token
from lucidfs.format.content import content_mac
from lucidfs.format.frame import Frames
from lucidfs.identity import login_transcript, management_transcript
from lucidfs.limits import FRAME_BYTES, FRAME_OVERHEAD_BYTES
from lucidfs.objects.base import ObjectName
from lucidfs.objects.signing import sign_url
from lucidfs.types import FilespaceId, ObjectId
from lucidfs.wire.messages import Extent

TOKEN = Token("0123456789abcdef", bytes(range(32)))
FILESPACE_KEY = bytes(range(100, 132))
FILESPACE = filespace_id(FILESPACE_KEY)
PARENT, NODE, KIND = 0x0102030405060708, 0x1112131415161718, 1
PLACE = (NODE, 3, 9)  # origin, index, generation of the frames
NAMES = ("a", "häuser 家.txt", "n" * 255)
TARGET = "../some/ täget"
PLAINS = {
    "short": b"The quick brown fox",
    "text": b"".join(b"line %d of a text that shrinks\n" % number for number in range(60)),
    "noise": hashlib.shake_256(b"noise").digest(1000),
}
SIZE, GENERATION = 10 * FRAME_BYTES - 3, 77
EXTENTS = [
    Extent(0, 4, NODE, 0, 70, 9, 0, [100, 200, 300, 400]),
    Extent(4, 1, NODE, 4, 70, 8, 0, [500]),
    Extent(9, 1, 6, 2, 72, 3, 50, [40]),
]
OBJECT = ObjectName(FilespaceId(7), ObjectId(0x1234))


def counted() -> Callable[[int], bytes]:
    """Randomness that is the same in every run."""
    calls = 0

    def random(count: int) -> bytes:
        nonlocal calls
        calls += 1
        return hashlib.shake_256(calls.to_bytes(8, "big")).digest(count)

    return random


def account() -> AccountKeys:
    return AccountKeys(TOKEN)


def filespace_keys() -> FilespaceKeys:
    return FilespaceKeys(FILESPACE_KEY, counted())


def made() -> dict[str, bytes]:
    """Everything that is frozen, as today's code makes it."""
    keys, nonce_c, nonce_h = filespace_keys(), b"c" * 32, b"h" * 32
    login = login_transcript(1, TOKEN.key_id, nonce_c, nonce_h, FILESPACE, 5)
    result = {
        "token": TOKEN.text().encode(),
        "login public key": account().login_public,
        "sealing public key": account().sealing_public,
        "login transcript": login,
        "login signature": account().sign(login),
        "management signature": account().sign(management_transcript(1, TOKEN.key_id, nonce_c, nonce_h)),
        "filespace id": FILESPACE.to_bytes(8, "big"),
        "sealed filespace key": seal_filespace_key(FILESPACE_KEY, FILESPACE, account().sealing_public, counted()),
        "sealed target": keys.seal_target(TARGET, NODE),
        "content mac": content_mac(keys, NODE, SIZE, GENERATION, EXTENTS),
        "empty content mac": content_mac(keys, NODE, 0, 0, []),
        "object url": sign_url(b"k" * 32, "https://hub", "PUT", OBJECT, 1_700_000_000).encode(),
    }
    for name in NAMES:
        result[f"token of {name[:8]}"] = keys.name_token(name)
        result[f"sealed {name[:8]}"] = keys.seal_name(name, PARENT, NODE, KIND)
    for algorithm in ("none", "lz4", "zstd"):
        for plain in ("short", "text", "noise"):
            if algorithm != "none" or plain == "short":
                room = memoryview(bytearray(len(PLAINS[plain]) + FRAME_OVERHEAD_BYTES))
                length = Frames(keys, algorithm).seal_into(room, PLAINS[plain], *PLACE)
                result[f"frame {algorithm} {plain}"] = bytes(room[:length])
    return result


if __name__ == "__main__":
    print(json.dumps({title: base64.b64encode(value).decode() for title, value in made().items()}, indent=1))
