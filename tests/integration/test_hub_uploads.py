"""The hub's own schedule against uploads: clients that are here, that came back, and that are gone."""

from __future__ import annotations

import asyncio
from pathlib import Path

from lucidfs.hub.settings import HubSettings
from lucidfs.objects.base import ObjectName
from lucidfs.types import FilespaceId, ObjectId
from lucidfs.wire import messages as m
from tests.hub_rig import FILESPACE, READER, Rig, run

UPLOAD = ObjectName(FilespaceId(FILESPACE), ObjectId(77))
EAGER = HubSettings(sweep_every_s=0.01, upload_grace_s=0)


async def rounds(rig: Rig, count: int = 2) -> None:
    """Until that many more rounds of the sweeper have begun and ended."""
    assert rig.hub is not None
    for _ in range(count):
        seen = rig.hub.uploads.at_ns
        while rig.hub.uploads.at_ns == seen:
            await asyncio.sleep(0)


def test_an_upload_stays_while_its_client_does(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        assert rig.hub is not None
        rig.store._clock = rig.clock
        client = await rig.login()
        rig.store.put(UPLOAD, b"on its way")
        await rounds(rig)
        assert UPLOAD in rig.store.contents
        assert (rig.hub.uploads.objects, rig.hub.uploads.leftover) == (1, 0)
        assert b"lucid_uploads 1.0" in rig.hub.metrics.text()
        await client.ask(m.Bye())
        await rounds(rig)
        assert rig.store.contents == {}
        assert b"lucid_uploads_swept_total 1.0" in rig.hub.metrics.text()

    run(tmp_path, scenario, EAGER)


def test_a_client_that_comes_back_is_here_since_it_first_came(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        client = await rig.login()
        first = client.welcome.session
        assert rig.hub is not None
        session = rig.hub.sessions.find(first)
        assert session is not None
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        rig.hub.end_session(session, "silence", lambda: over.set_result(None))
        await over
        again = await rig.login(resume=first)
        stranger = await rig.login(READER, resume=first)
        assert not again.welcome.resumed
        with rig.database.read() as tx:
            rows = [tx.session(each) for each in (first, again.welcome.session, stranger.welcome.session)]
        came = [row.created_ns for row in rows if row is not None]
        assert came[0] == came[1] < came[2]

    run(tmp_path, scenario)
