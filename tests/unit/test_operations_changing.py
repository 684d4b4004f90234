"""Operations that change the tree: what they do, each refusal, and that a refusal writes nothing (the stage checks)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lucidfs.errors import Code, Fault
from lucidfs.hub.operations import Blocked
from lucidfs.types import Access, Kind, Role
from lucidfs.wire import messages as m
from tests.stage import ANN, BOB, OTHER, OTHER_ROOT, ROOT, Stage, empty, path, sealed, small, token


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.close()


def refusal(stage: Stage, request: m.Message, **asking: int) -> Code:
    with pytest.raises(Fault) as refused:
        stage.do(request, **asking)  # type: ignore[arg-type]
    return refused.value.code


def moving(node: int, name: str, to: str, old: int = ROOT, new: int = ROOT, replace: bool = False) -> m.Move:
    return m.Move(node, old, token(name), new, token(to), sealed(to), replace)


def listed(stage: Stage, folder: int = ROOT) -> set[bytes]:
    return {entry.sealed_name for entry in stage.look(m.ListFolder(folder)).entries}


# --- create


def test_create_tells_the_entry(stage: Stage) -> None:
    new = stage.new("f")
    entry = stage.do(m.Create(ROOT, new, small())).entry
    assert entry == m.Entry(new.id, ROOT, Kind.FILE, sealed("f"), 6, stage.now_ns, stage.now_ns, 1)
    assert stage.look(m.Walk(path("f"))).entries == [entry]


@pytest.mark.parametrize("kind", [Kind.FILE, Kind.FOLDER, Kind.LINK])
def test_every_kind_is_created(stage: Stage, kind: Kind) -> None:
    entry = stage.do(m.Create(ROOT, stage.new("n", kind))).entry
    assert (entry.kind, entry.revision, entry.size) == (kind, 0, 0)
    assert bool(entry.target) == (kind == Kind.LINK)


def test_create_touches_its_folder(stage: Stage) -> None:
    folder = stage.folder("a")
    stage.file("f", folder)
    row = stage.row(folder)
    assert row is not None and (row.version, row.mtime_ns) == (1, stage.now_ns)


def test_a_name_is_taken_once_in_each_folder(stage: Stage) -> None:
    folder = stage.folder("a")
    stage.file("a", folder)
    assert refusal(stage, m.Create(ROOT, stage.new("a"))) == Code.EXISTS
    assert refusal(stage, m.CreateFolders(folder, [stage.new("a", Kind.FOLDER)])) == Code.EXISTS


def test_a_parent_must_be_a_folder_of_this_filespace(stage: Stage) -> None:
    file = stage.file("f")
    for parent, code in ((file, Code.NOT_A_FOLDER), (9, Code.NOT_FOUND), (OTHER_ROOT, Code.NOT_FOUND)):
        assert refusal(stage, m.Create(parent, stage.new("x"))) == code
        assert refusal(stage, m.CreateFolders(parent, [stage.new("x", Kind.FOLDER)])) == code
    assert refusal(stage, m.Create(ROOT, stage.new("x")), filespace=OTHER) == Code.NOT_FOUND


def test_a_create_that_names_a_path_holds_only_if_it_leads_to_the_folder(stage: Stage) -> None:
    folder = stage.folder("a")
    inner = stage.folder("b", folder)
    stage.do(m.Create(inner, stage.new("f"), None, m.Wait(), path("a", "b")))
    stage.do(m.Create(ROOT, stage.new("f"), None, m.Wait(), path()))
    stage.file("x")
    stage.do(m.Create(ROOT, stage.new("l", Kind.LINK)))
    for elsewhere in (path("a"), path("b"), path("x"), path("x", "b"), path("l", "b"), path("gone"), path()):
        assert refusal(stage, m.Create(inner, stage.new("g"), None, m.Wait(), elsewhere)) == Code.STALE
    stage.do(moving(folder, "a", "c"))
    assert refusal(stage, m.Create(inner, stage.new("g"), None, m.Wait(), path("a", "b"))) == Code.STALE
    stage.do(m.Create(inner, stage.new("g"), None, m.Wait(), path("c", "b")))


def test_ids_are_taken_once_in_all_filespaces(stage: Stage) -> None:
    node = stage.file("f")
    assert refusal(stage, m.Create(ROOT, stage.new("x", node=node))) == Code.ID_TAKEN
    assert refusal(stage, m.Create(OTHER_ROOT, stage.new("x", node=node)), filespace=OTHER) == Code.ID_TAKEN
    twins = [stage.new("x", Kind.FOLDER, 55), stage.new("y", Kind.FOLDER, 55)]
    assert refusal(stage, m.CreateFolders(ROOT, twins)) == Code.ID_TAKEN
    assert refusal(stage, m.CreateFolders(ROOT, [stage.new("x", Kind.FOLDER, node)])) == Code.ID_TAKEN


@pytest.mark.parametrize(
    ("node", "code"),
    [
        (m.NewNode(0, Kind.FILE, b"t" * 16, b"n"), Code.INVALID),
        (m.NewNode(2**63, Kind.FILE, b"t" * 16, b"n"), Code.INVALID),
        (m.NewNode(50, Kind.FILE, b"t" * 15, b"n"), Code.INVALID),
        (m.NewNode(50, Kind.FILE, b"t" * 16, b""), Code.INVALID),
        (m.NewNode(50, Kind.FILE, b"t" * 16, b"n" * 286), Code.INVALID),
        (m.NewNode(50, Kind.FILE, b"t" * 16, b"n", b"target"), Code.INVALID),
        (m.NewNode(50, Kind.LINK, b"t" * 16, b"n"), Code.INVALID),
        (m.NewNode(50, Kind.LINK, b"t" * 16, b"n", b"t" * 5000), Code.INVALID),
        (m.NewNode(50, Kind.EXTERNAL, b"t" * 16, b"n"), Code.UNSUPPORTED),
    ],
)
def test_nodes_that_cannot_be(stage: Stage, node: m.NewNode, code: Code) -> None:
    assert refusal(stage, m.Create(ROOT, node)) == code


def test_only_files_are_created_with_content(stage: Stage) -> None:
    assert refusal(stage, m.Create(ROOT, stage.new("d", Kind.FOLDER), small())) == Code.INVALID


def test_a_reserved_name_is_its_sessions(stage: Stage) -> None:
    stage.locks.reserving[ROOT, token("x")] = ANN
    folder = stage.file("f")
    assert refusal(stage, m.Create(ROOT, stage.new("x")), session=BOB) == Code.EXISTS
    assert refusal(stage, m.CreateFolders(ROOT, [stage.new("x", Kind.FOLDER)]), session=BOB) == Code.EXISTS
    assert refusal(stage, moving(folder, "f", "x"), session=BOB) == Code.EXISTS
    stage.do(m.Create(ROOT, stage.new("x")), session=ANN)


def test_readers_change_nothing(stage: Stage) -> None:
    node = stage.file("f")
    requests: list[m.Message] = [
        m.Create(ROOT, stage.new("x")),
        m.CreateFolders(ROOT, [stage.new("x", Kind.FOLDER)]),
        m.Delete(path("f")),
        moving(node, "f", "g"),
        m.Commit(node, 0, empty()),
    ]
    for request in requests:
        assert refusal(stage, request, role=Role.READ) == Code.DENIED


def test_a_lost_lock_fences_every_change_that_relied_on_it(stage: Stage) -> None:
    node = stage.file("f")
    wait = m.Wait(0, [77])
    requests: list[m.Message] = [
        m.Create(ROOT, stage.new("x"), None, wait),
        m.Delete(path("f"), wait=wait),
        m.Move(node, ROOT, token("f"), ROOT, token("g"), sealed("g"), wait=wait),
        m.Commit(node, 0, empty(), wait=wait),
    ]
    stage.locks.held.add((BOB, 77))
    for request in requests:
        assert refusal(stage, request) == Code.FENCED
    stage.locks.held.add((ANN, 77))
    stage.do(requests[-1])


# --- chains of folders


def test_a_chain_of_folders_is_made_whole(stage: Stage) -> None:
    nodes = [stage.new(name, Kind.FOLDER) for name in "abc"]
    entry = stage.do(m.CreateFolders(ROOT, nodes)).entry
    assert (entry.id, entry.parent) == (nodes[2].id, nodes[1].id)
    assert [found.id for found in stage.look(m.Walk(path("a", "b", "c"))).entries] == [new.id for new in nodes]


def test_chains_that_cannot_be(stage: Stage) -> None:
    assert refusal(stage, m.CreateFolders(ROOT, [])) == Code.INVALID
    assert refusal(stage, m.CreateFolders(ROOT, [stage.new("x", Kind.FOLDER)] * 513)) == Code.INVALID
    assert refusal(stage, m.CreateFolders(ROOT, [stage.new("x", Kind.FOLDER), stage.new("y")])) == Code.INVALID


# --- delete


def test_delete_removes_one_file_or_link(stage: Stage) -> None:
    stage.file("f", content=small())
    stage.link("l")
    assert stage.do(m.Delete(path("f"))) == m.Done()
    stage.do(m.Delete(path("l")))
    assert listed(stage) == set()


def test_delete_of_a_folder(stage: Stage) -> None:
    a = stage.folder("a")
    stage.file("f", stage.folder("b", a), stage.big(2))
    assert refusal(stage, m.Delete(path("a"), folder=True)) == Code.NOT_EMPTY
    stage.do(m.Delete(path("a"), folder=True, recursive=True))
    assert stage.look(m.Walk(path("a"))).entries == []
    stage.folder("a")
    stage.do(m.Delete(path("a"), folder=True))


def test_refused_deletes(stage: Stage) -> None:
    node = stage.file("f")
    stage.folder("d")
    stage.link("l")
    cases = [
        (m.Delete(path("x")), Code.NOT_FOUND),
        (m.Delete(path("x", "y")), Code.NOT_FOUND),
        (m.Delete(path("f", "y")), Code.NOT_A_FOLDER),
        (m.Delete(path("l", "y")), Code.LINK_IN_PATH),
        (m.Delete(path("d")), Code.IS_A_FOLDER),
        (m.Delete(path("f"), folder=True), Code.NOT_A_FOLDER),
        (m.Delete(path("l"), folder=True, recursive=True), Code.NOT_A_FOLDER),
        (m.Delete(path("f"), node=node + 99), Code.NOT_FOUND),
        (m.Delete(m.Path(ROOT), folder=True, recursive=True), Code.INVALID),
    ]
    for request, code in cases:
        assert refusal(stage, request) == code
    stage.do(m.Delete(path("f"), node=node))


def test_delete_by_node(stage: Stage) -> None:
    node = stage.file("f")
    stage.do(m.Delete(m.Path(node)))
    assert listed(stage) == set()


def test_delete_waits_for_locks_below(stage: Stage) -> None:
    a = stage.folder("a")
    file = stage.file("f", a)
    stage.locks.in_the_way[file] = ANN
    for request in (m.Delete(path("a"), folder=True, recursive=True), m.Delete(path("a", "f"))):
        with pytest.raises(Blocked) as blocked:
            stage.do(request, session=BOB)
        assert blocked.value.nodes == (file,)
    stage.do(m.Delete(path("a"), folder=True, recursive=True), session=ANN)


# --- move


def test_move_changes_the_place_and_nothing_else(stage: Stage) -> None:
    node = stage.file("f", content=small())
    a = stage.folder("a")
    before = stage.row(node)
    entry = stage.do(moving(node, "f", "g", new=a)).entry
    assert (entry.id, entry.parent, entry.sealed_name, entry.revision) == (node, a, sealed("g"), 1)
    assert before is not None
    assert stage.row(node) == before._replace(parent=a, token=token("g"), sealed_name=sealed("g"))
    versions = [row.version for row in map(stage.row, (ROOT, a)) if row]
    assert versions == [3, 1]


def test_a_moved_folder_keeps_its_entries(stage: Stage) -> None:
    a, b = stage.folder("a"), stage.folder("b")
    stage.file("f", a)
    stage.do(moving(a, "a", "c", new=b))
    assert len(stage.look(m.Walk(path("b", "c", "f"))).entries) == 3


def test_move_replaces_when_asked(stage: Stage) -> None:
    f = stage.file("f", content=small())
    stage.file("g", content=stage.big(1))
    assert refusal(stage, moving(f, "f", "g")) == Code.EXISTS
    stage.do(moving(f, "f", "g", replace=True))
    assert [entry.id for entry in stage.look(m.ListFolder(ROOT)).entries] == [f]


def test_moving_to_its_own_place(stage: Stage) -> None:
    for node, name in ((stage.file("f"), "f"), (stage.folder("d"), "d")):
        assert refusal(stage, moving(node, name, name)) == Code.EXISTS
        assert stage.do(moving(node, name, name, replace=True)).entry.id == node


def test_refused_moves(stage: Stage) -> None:
    f, a = stage.file("f"), stage.folder("a")
    b = stage.folder("b", a)
    cases = [
        (moving(99, "f", "x"), Code.NOT_FOUND),
        (moving(OTHER_ROOT, "f", "x"), Code.NOT_FOUND),
        (moving(f, "f", "x", new=99), Code.NOT_FOUND),
        (moving(f, "f", "x", new=OTHER_ROOT), Code.NOT_FOUND),
        (moving(f, "f", "x", new=f), Code.NOT_A_FOLDER),
        (moving(f, "g", "x"), Code.STALE),
        (moving(f, "f", "x", old=a), Code.STALE),
        (moving(a, "a", "x", new=a), Code.INVALID),
        (moving(a, "a", "x", new=b), Code.INVALID),
        (m.Move(ROOT, 0, b"", a, token("x"), sealed("x")), Code.INVALID),
        (m.Move(f, ROOT, token("f"), ROOT, b"short", sealed("x")), Code.INVALID),
        (m.Move(f, ROOT, token("f"), ROOT, token("x"), b""), Code.INVALID),
        (moving(f, "f", "a", replace=True), Code.EXISTS),
        (moving(a, "a", "f", replace=True), Code.EXISTS),
    ]
    for request, code in cases:
        assert refusal(stage, request) == code, request


def test_move_waits_for_locks_on_both(stage: Stage) -> None:
    f, g = stage.file("f"), stage.file("g")
    for node in (f, g):
        stage.locks.in_the_way = {node: ANN}
        with pytest.raises(Blocked) as blocked:
            stage.do(moving(f, "f", "g", replace=True), session=BOB)
        assert blocked.value.nodes == (node,)
    stage.do(moving(f, "f", "g", replace=True), session=ANN)


# --- commit: its place among the changes (contents are in test_tree_content)


def test_commit_publishes_a_revision(stage: Stage) -> None:
    node = stage.file("f")
    version = stage.row(ROOT)
    assert stage.do(m.Commit(node, 0, small())) == m.Committed(1, stage.now_ns)
    assert stage.do(m.Commit(node, 1, small(size=3))) == m.Committed(2, stage.now_ns)
    assert stage.row(ROOT) == version


def test_refused_commits(stage: Stage) -> None:
    node = stage.file("f", content=small())
    cases = [
        (m.Commit(99, 0, empty()), Code.NOT_FOUND),
        (m.Commit(ROOT, 0, empty()), Code.IS_A_FOLDER),
        (m.Commit(stage.link("l"), 0, empty()), Code.INVALID),
        (m.Commit(node, 2, empty()), Code.STALE),
        (m.Commit(node, 0, empty(), whole=False), Code.STALE),
    ]
    for request, code in cases:
        assert refusal(stage, request) == code
    assert refusal(stage, m.Commit(node, 0, empty()), filespace=OTHER) == Code.NOT_FOUND


def test_commit_waits_for_locks_on_what_it_touched(stage: Stage) -> None:
    node = stage.file("f")
    stage.locks.in_the_way[node] = ANN
    with pytest.raises(Blocked) as blocked:
        stage.do(m.Commit(node, 0, empty(), touched=[(0, 5)]), session=BOB)
    assert blocked.value.nodes == (node,)
    stage.do(m.Commit(node, 0, empty()), session=ANN)
    assert stage.locks.asked == [(node, Access.WRITE, [(0, 5)]), (node, Access.WRITE, [])]
