"""Sessions outlive connections and hubs; every change happens once; who vanished is fenced."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lucidfs.errors import Code, Fault
from lucidfs.hub import connection as connection_module
from lucidfs.hub.settings import HubSettings
from lucidfs.types import Access, Kind, LockMode
from lucidfs.wire import codec
from lucidfs.wire import messages as m
from tests.hub_rig import ADMIN, FILESPACE, READER, ROOT, Rig, name, new_file, refused, run

SHORT = HubSettings(session_limit_s=0.2)  # silence is real time here; nothing is asserted about its length


def test_a_change_that_is_repeated_gets_the_same_answer(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        client = await rig.login()
        client.ask(new_file(1), seq=1)
        created = await client.ask(new_file(1), seq=1)  # the first is under way: one answer, to whoever asked last
        assert await client.ask(new_file(1), seq=1) == created
        assert await client.names() == [101]

    run(tmp_path, scenario)


def test_the_answer_of_a_repeat_under_way_goes_where_it_was_asked_last(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        client = await rig.login()
        client.ask(new_file(1), seq=1)
        client.close()
        again = await rig.login(resume=client.welcome.session)
        assert again.welcome.resumed
        created = await again.ask(new_file(1), seq=1)
        assert created.entry.id == 101
        assert await again.names() == [101]

    run(tmp_path, scenario)


def test_a_refusal_is_not_remembered(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        client = await rig.login()
        await client.create(1)
        create = m.Create(ROOT, m.NewNode(200, Kind.FILE, name(1), b"sealed"))
        with refused(Code.EXISTS):
            await client.ask(create, seq=5)
        await client.call(m.Delete(m.Path(ROOT, [name(1)])))
        assert (await client.ask(create, seq=5)).entry.id == 200

    run(tmp_path, scenario)


def test_acknowledged_changes_are_never_applied_again(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        client = await rig.login()
        await client.create(1)
        client.acked = 1
        await client.create(2)
        with refused(Code.BAD_MESSAGE):
            await client.ask(new_file(1), seq=1)
        with refused(Code.BAD_MESSAGE):
            await client.ask(new_file(3))  # a change without a number
        with rig.database.read() as tx:
            assert [seq for seq, _ in tx.replies(client.welcome.session)] == [2]

    run(tmp_path, scenario)


@pytest.mark.parametrize(("seq", "acked"), [(2**63, 0), (-1, 0), (1, 2**63), (1, -1)])
def test_numbers_that_no_client_reaches_end_the_connection(tmp_path: Path, seq: int, acked: int) -> None:
    async def scenario(rig: Rig) -> None:
        client = await rig.login()
        client.acked = acked
        with refused(Code.BAD_MESSAGE):
            await client.ask(new_file(1), seq=seq)
        await client.lost
        assert await (await rig.login()).names() == []

    run(tmp_path, scenario)


@pytest.mark.parametrize("changes", [1, 40])
def test_every_change_happens_once_across_a_crash_of_the_hub(tmp_path: Path, changes: int) -> None:
    async def scenario(rig: Rig) -> None:
        client = await rig.login()
        answers = [client.change(new_file(number)) for number in range(changes)]
        await asyncio.wait(answers[:1])
        await rig.crash()
        again = await rig.login(resume=client.welcome.session)
        assert again.welcome.resumed
        replies = await asyncio.gather(*(again.change(new_file(number)) for number in range(changes)))
        assert [reply.entry.id for reply in replies] == [100 + number for number in range(changes)]
        assert sorted(await again.names()) == [100 + number for number in range(changes)]

    run(tmp_path, scenario)


def test_a_crash_keeps_locks_and_the_session(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        client, other = await rig.login(), await rig.login()
        await client.create(1)
        await client.call(m.Lock(9, 101, 1, LockMode.EXCLUSIVE))
        await rig.crash()
        other = await rig.login(resume=other.welcome.session)
        with refused(Code.LOCKED):
            await other.call(m.Lock(10, 101, 1, LockMode.SHARED))
        client = await rig.login(resume=client.welcome.session)
        assert client.welcome.locks == [9]
        client._seq = 2
        await client.call(m.Unlock(101, 1))
        await other.call(m.Lock(11, 101, 1, LockMode.SHARED))

    run(tmp_path, scenario)


def test_silence_ends_a_session_and_frees_its_locks(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        client = await rig.login()
        await client.create(1)
        await client.call(m.Lock(9, 101, 1, LockMode.EXCLUSIVE))
        await client.lost
        assert [type(push) for push in client.pushes] == [m.Expired]
        other = await rig.login()
        await other.call(m.Lock(10, 101, 1, LockMode.EXCLUSIVE, wait_ms=60_000))

    run(tmp_path, scenario, SHORT)


def test_who_comes_back_too_late_learns_what_was_applied_and_is_fenced(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        client = await rig.login()
        created = await client.create(1)
        await client.call(m.Lock(9, 101, 1, LockMode.EXCLUSIVE))
        await client.lost
        late = await rig.login(resume=client.welcome.session, unacked=[1, 2, 3])
        assert not late.welcome.resumed
        assert late.welcome.session != client.welcome.session
        replies = {seq: codec.decode_reply_body(reply) for seq, reply in late.welcome.replies}
        assert replies == {1: m.Created(created), 2: m.Locked(9)}
        with refused(Code.FENCED):
            await late.call(m.Delete(m.Path(ROOT, [name(1)]), wait=m.Wait(0, [9])))
        await late.call(m.Delete(m.Path(ROOT, [name(1)])))

    run(tmp_path, scenario, SHORT)


def test_replies_are_told_to_their_own_account_only(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        client = await rig.login()
        await client.create(1)
        await client.ask(m.Bye())
        spy = await rig.login(READER, resume=client.welcome.session, unacked=[1])
        assert (spy.welcome.resumed, spy.welcome.replies) == (False, [])
        owner = await rig.login(resume=client.welcome.session, unacked=[1])
        assert [seq for seq, _ in owner.welcome.replies] == [1]

    run(tmp_path, scenario)


def test_a_live_session_cannot_be_taken_over_by_another_account(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        client = await rig.login()
        spy = await rig.login(READER, resume=client.welcome.session)
        assert not spy.welcome.resumed
        await client.settled()

    run(tmp_path, scenario)


def test_a_session_goes_on_at_one_place(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        client = await rig.login()
        again = await rig.login(resume=client.welcome.session)
        await client.lost
        await again.settled()

    run(tmp_path, scenario)


def test_goodbye_ends_the_session_at_once(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        client, other = await rig.login(), await rig.login()
        await client.create(1)
        await client.call(m.Lock(9, 101, 1, LockMode.EXCLUSIVE))
        waiting = other.change(m.Lock(10, 101, 1, LockMode.EXCLUSIVE, wait_ms=60_000))
        await other.settled()
        assert await client.ask(m.Bye()) == m.Done()
        await client.lost
        assert await waiting == m.Locked(10)
        assert not (await rig.login(resume=client.welcome.session)).welcome.resumed

    run(tmp_path, scenario)


def test_a_revoked_account_loses_its_sessions_and_what_waits(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        assert rig.hub is not None
        client, reader = await rig.login(), await rig.login(READER)
        await client.create(1)
        await client.call(m.Lock(9, 101, 1, LockMode.EXCLUSIVE))
        waiting = reader.change(m.Lock(10, 101, 1, LockMode.SHARED, wait_ms=60_000))
        await reader.settled()
        rig.hub.end_sessions(READER, FILESPACE, "the account was revoked")
        assert await reader.lost
        assert reader.pushes == [m.Expired("the account was revoked")]
        with pytest.raises(Fault):
            await waiting
        await client.settled()
        await client.call(m.Unlock(101, 1))
        await client.call(m.Lock(11, 101, 2, LockMode.EXCLUSIVE))

    run(tmp_path, scenario)


def test_sessions_of_accounts_that_were_revoked_meanwhile_do_not_survive_a_restart(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        assert rig.hub is not None
        reader = await rig.login(READER)
        await rig.hub.change(lambda tx: tx.delete_grant(FILESPACE, READER))
        hub = await rig.crash()
        assert len(hub.sessions) == 0
        with rig.database.read() as tx:
            row = tx.session(reader.welcome.session)
            assert row is not None and row.ended_ns

    run(tmp_path, scenario)


def test_a_login_under_way_sees_the_revocation(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        assert rig.hub is not None
        client = await rig.connect()
        login = await client.hello(READER)

        with rig.database.read() as tx:
            account = tx.account(READER)
            assert account is not None
        revoking = asyncio.ensure_future(rig.hub.change(lambda tx: tx.update_account(account._replace(revoked_ns=5))))
        await asyncio.sleep(0)
        with refused(Code.UNAUTHENTICATED):
            await client.ask(login)
        await revoking

    run(tmp_path, scenario)


def test_an_orderly_stop_answers_what_runs_and_tells_everybody(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        assert rig.hub is not None
        client, other = await rig.login(), await rig.login()
        await client.create(1)
        await client.call(m.Lock(9, 101, 1, LockMode.EXCLUSIVE))
        parked = other.ask(m.Walk(m.Path(ROOT, [name(1)]), access=Access.READ, wait=m.Wait(60_000)))
        waiting = other.change(m.Lock(10, 101, 1, LockMode.SHARED, wait_ms=60_000))
        await other.settled()
        running = client.change(new_file(2))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await rig.hub.stop()
        assert (await running).entry.id == 102
        for refusal in (parked, waiting):
            with refused(Code.SHUTTING_DOWN):
                await refusal
        for each in (client, other):
            await each.lost
            assert [type(push) for push in each.pushes] == [m.Goodbye]
        await rig.start()
        again = await rig.login(resume=client.welcome.session)
        assert (again.welcome.resumed, again.welcome.locks) == (True, [9])

    run(tmp_path, scenario)


def test_new_work_is_refused_while_the_hub_stops(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        assert rig.hub is not None
        client, late = await rig.login(), await rig.connect()
        rig.hub._stopping = True
        with refused(Code.SHUTTING_DOWN):
            await client.create(1)
        with refused(Code.SHUTTING_DOWN):
            await late.login()
        rig.hub._stopping = False

    run(tmp_path, scenario)


def test_requests_in_flight_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "REQUESTS_IN_FLIGHT_MAX", 2)

    async def scenario(rig: Rig) -> None:
        client, other = await rig.login(), await rig.login()
        await client.create(1)
        await client.call(m.Lock(9, 101, 1, LockMode.EXCLUSIVE))
        walk = m.Walk(m.Path(ROOT, [name(1)]), access=Access.READ, wait=m.Wait(60_000))
        waiting = [other.ask(walk), other.change(m.Lock(10, 101, 1, LockMode.SHARED, wait_ms=60_000))]
        with refused(Code.TOO_MANY):
            await other.ask(walk)
        await client.call(m.Unlock(101, 1))
        await asyncio.gather(*waiting)

    run(tmp_path, scenario)


def test_repeats_are_not_counted_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "REQUESTS_IN_FLIGHT_MAX", 2)

    async def scenario(rig: Rig) -> None:
        client, other = await rig.login(), await rig.login()
        await client.create(1)
        await client.call(m.Lock(9, 101, 1, LockMode.EXCLUSIVE))
        locks = [m.Lock(10 + handle, 101, handle, LockMode.SHARED, wait_ms=60_000) for handle in (1, 2)]
        for lock in locks:
            other.change(lock)
        await other.settled()
        other.close()
        again = await rig.login(resume=other.welcome.session)
        waiting = [again.change(lock) for lock in locks]
        await again.settled()
        await client.call(m.Unlock(101, 1))
        assert await asyncio.gather(*waiting) == [m.Locked(11), m.Locked(12)]

    run(tmp_path, scenario)


def test_roles_decide_what_may_be_sent(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        client, reader = await rig.login(), await rig.login(READER)
        await client.create(1)
        await client.call(m.Lock(9, 101, 1, LockMode.SHARED))
        await reader.call(m.Lock(10, 101, 1, LockMode.SHARED))
        for body in (
            new_file(2),
            m.Lock(11, 101, 1, LockMode.EXCLUSIVE),
            m.Reserve(ROOT, name(5)),
            m.GrantObjects([1], put=True),
        ):
            with refused(Code.DENIED):
                await reader.call(body)
        assert await reader.call(m.GrantObjects([], put=False)) == m.Grants([])

    run(tmp_path, scenario)


def test_a_connection_that_is_lost_before_its_welcome_leaves_a_session_that_ends(tmp_path: Path) -> None:
    async def scenario(rig: Rig) -> None:
        assert rig.hub is not None
        client = await rig.connect()
        client.ask(await client.hello(ADMIN))
        client.close()
        await client.lost
        while len(rig.hub.sessions) == 0:  # the session is made all the same
            await asyncio.sleep(0.001)
        while len(rig.hub.sessions):
            await asyncio.sleep(0.001)

    run(tmp_path, scenario, SHORT)
