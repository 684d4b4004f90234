"""The management API as the commands use it: logged in with the given token, closed at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from lucidfs.cli.remote import check_address, check_token
from lucidfs.crypto.token import Token
from lucidfs.engine.administration import Administration


@contextmanager
def administering(hub: str, token: str, allow_plaintext: bool) -> Iterator[Administration]:
    """An administration for one command. Raises UsageError for an address or a token that cannot be meant."""
    url = check_address(hub, allow_plaintext)
    administration = Administration(url, Token.parse(check_token(token)), os.urandom, allow_plaintext=allow_plaintext)
    try:
        yield administration
    finally:
        administration.close()
