"""Every test on another store: with LUCID_TEST_STORE=s3 all filespaces that tests make have their objects in a bucket.

The server is started for the run, and every `Administration.create_filespace` that names no store gets a bucket of it.
Filespaces that a command makes in a process of its own stay in the hub's folder.
"""

from __future__ import annotations

import os
from contextlib import ExitStack

from lucidfs.engine.administration import Administration
from lucidfs.testing.s3 import RadosGateway
from lucidfs.wire import management as m
from tests.s3.place import Place, made_bucket

VARIABLE = "LUCID_TEST_STORE"


class OtherStore:
    """The bucket of a run while it lasts; nothing where the variable is not set.

    Raises:
        ValueError: the variable is set to something else than "s3".
        FileNotFoundError: the server is not installed.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        wanted = os.environ.get(VARIABLE, "")
        if wanted not in ("", "s3"):
            raise ValueError(f"{VARIABLE} is {wanted!r}: only s3 is known")
        if wanted:
            place = self._stack.enter_context(made_bucket(self._stack.enter_context(RadosGateway())))
            os.environ["LUCID_HUB_ALLOW_PRIVATE_ENDPOINTS"] = "1"  # for hubs in threads and processes
            self._redirect(place)

    def _redirect(self, place: Place) -> None:
        create = Administration.create_filespace

        def create_there(self: Administration, name: str, store: m.NewStore | None = None) -> m.FilespaceView:
            return create(self, name, store or place.new_store("tests"))

        setattr(Administration, "create_filespace", create_there)  # noqa: B010  # a method may not be assigned
        self._stack.callback(setattr, Administration, "create_filespace", create)

    def close(self) -> None:
        """End the server."""
        self._stack.close()
