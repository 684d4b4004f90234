"""Contents in the tree: whole and delta commits, objects and their live bytes, and every content that is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lucidfs.errors import Code, Fault
from lucidfs.limits import EXTENTS_PER_COMMIT_MAX, SMALL_BYTES_MAX
from lucidfs.namespace.tree import CONDEMNED
from lucidfs.wire import messages as m
from tests.stage import FRAME, MAC, OTHER, OTHER_ROOT, ROOT, SEALED, Stage, empty, path, small

END = 2**62


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.close()


def refusal(stage: Stage, request: m.Message, **asking: int) -> Code:
    with pytest.raises(Fault) as refused:
        stage.do(request, **asking)  # type: ignore[arg-type]
    return refused.value.code


def runs(extents: list[m.Extent]) -> list[tuple[int, int, int]]:
    return [(extent.first, extent.count, extent.generation) for extent in extents]


def delta(node: int, base: int, content: m.NewContent, clear: list[tuple[int, int]] | None = None) -> m.Commit:
    return m.Commit(node, base, content, whole=False, clear=clear or [])


def used(stage: Stage) -> int:
    return int(stage.look(m.GetStatistics()).storage_bytes)


# --- whole


def test_a_whole_commit_replaces_and_frees(stage: Stage) -> None:
    first, second = stage.big(3), stage.big(2, generation=2)
    node = stage.file("f", content=first)
    stage.do(m.Commit(node, 1, second))
    assert stage.extents(node) == second.extents
    assert stage.live(first.objects[0].id) == 0
    assert stage.live(second.objects[0].id) == 2 * SEALED
    assert used(stage) == 2 * SEALED


def test_content_changes_its_form(stage: Stage) -> None:
    node = stage.file("f", content=stage.big(2))
    forms = [small(), stage.big(1, generation=3), empty(), small(size=9), empty(10**15)]
    for revision, content in enumerate(forms, 1):
        stage.do(m.Commit(node, revision, content))
        found = stage.look(m.ReadContent(node)).content
        assert (found.extents, found.small, found.size) == (content.extents, content.small, content.size)


def test_an_unconditional_commit_needs_no_base(stage: Stage) -> None:
    node = stage.file("f", content=small())
    assert stage.do(m.Commit(node, 0, empty())).revision == 2


# --- delta


def test_a_delta_lies_over_the_content(stage: Stage) -> None:
    node = stage.file("f", content=stage.big(10))
    patch = stage.big(2, generation=2, first=4, size=10 * FRAME)
    stage.do(delta(node, 1, patch))
    assert runs(stage.extents(node)) == [(0, 4, 1), (4, 2, 2), (6, 4, 1)]


def test_a_delta_appends(stage: Stage) -> None:
    node = stage.file("f", content=stage.big(2))
    stage.do(delta(node, 1, stage.big(2, generation=2, first=2)))
    assert runs(stage.extents(node)) == [(0, 2, 1), (2, 2, 2)]


def test_a_delta_truncates_and_extends(stage: Stage) -> None:
    content = stage.big(10)
    node = stage.file("f", content=content)
    stage.do(delta(node, 1, empty(3 * FRAME, 2), [(3, END)]))
    assert runs(stage.extents(node)) == [(0, 3, 1)]
    assert stage.live(content.objects[0].id) == 3 * SEALED
    stage.do(delta(node, 2, empty(10**15, 3)))
    assert runs(stage.extents(node)) == [(0, 3, 1)]
    assert refusal(stage, delta(node, 3, empty(2 * FRAME, 4), [(2, 2)])) == Code.INVALID
    assert refusal(stage, delta(node, 3, empty(2 * FRAME, 4))) == Code.INVALID


def test_a_delta_punches_holes(stage: Stage) -> None:
    node = stage.file("f", content=stage.big(10))
    stage.do(delta(node, 1, empty(10 * FRAME, 2), [(8, 9), (1, 3), (2, 4), (5, 5)]))
    assert runs(stage.extents(node)) == [(0, 1, 1), (4, 4, 1), (9, 1, 1)]


def test_a_delta_over_nothing(stage: Stage) -> None:
    created, never = stage.file("f", content=empty()), stage.file("g")
    stage.do(delta(created, 1, stage.big(2)))
    stage.do(delta(never, 0, stage.big(2)))
    assert runs(stage.extents(created)) == runs(stage.extents(never)) == [(0, 2, 1)]


def test_a_delta_carries_patches(stage: Stage) -> None:
    node = stage.file("f", content=stage.big(4))
    object, data = stage.id(), b"x" * 500
    stage.objects.add(object)
    patch = m.NewContent(
        4 * FRAME, 2, MAC, [m.Extent(1, 1, 7, 1, 2, object, 0, [500])], b"", [m.NewObject(object, 500, data)]
    )
    stage.do(delta(node, 1, patch))
    with stage.database.read() as tx:
        assert tx.object_data(object) == data
    stage.do(m.Delete(path("f")))


def test_small_content_takes_no_delta(stage: Stage) -> None:
    node, big = stage.file("f", content=small()), stage.file("g", content=stage.big(1))
    assert refusal(stage, delta(node, 1, empty(3, 2))) == Code.INVALID
    assert refusal(stage, delta(big, 1, small())) == Code.INVALID


@pytest.mark.parametrize("clear", [[(3, 2)], [(-1, 2)], [(0, 2**63)]])
def test_ranges_that_cannot_be(stage: Stage, clear: list[tuple[int, int]]) -> None:
    node = stage.file("f", content=stage.big(1))
    assert refusal(stage, delta(node, 1, empty(FRAME, 2), clear)) == Code.INVALID


def test_a_delta_of_a_lost_race_is_stale(stage: Stage) -> None:
    node = stage.file("f", content=stage.big(1))
    stage.do(delta(node, 1, stage.big(1, generation=2)))
    assert refusal(stage, delta(node, 1, stage.big(1, generation=3))) == Code.STALE


# --- objects


def test_a_copy_shares_its_objects(stage: Stage) -> None:
    content = stage.big(4)
    stage.file("f", content=content)
    shared = m.NewContent(4 * FRAME, 9, MAC, content.extents)
    copy = stage.file("g", content=shared)
    assert used(stage) == 4 * SEALED
    stage.do(m.Delete(path("f")))
    assert used(stage) == 4 * SEALED and stage.live(content.objects[0].id) == 4 * SEALED
    stage.do(m.Commit(copy, 1, empty()))
    assert used(stage) == 0 and stage.live(content.objects[0].id) == 0


def test_a_dead_object_can_be_used_again_until_it_is_condemned(stage: Stage) -> None:
    content = stage.big(1)
    object = content.objects[0].id
    stage.file("f", content=content)
    stage.do(m.Delete(path("f")))
    again = msgspec.structs.replace(content, objects=[])
    stage.file("g", content=again)
    with stage.database.read() as tx:
        assert tx.dead_objects(END, 9) == []
    stage.do(m.Delete(path("g")))
    tx = stage.database.begin()
    tx.update_object(object, CONDEMNED, 5)
    stage.database.commit()
    assert refusal(stage, m.Create(ROOT, stage.new("h"), again)) == Code.STALE
    assert refusal(stage, m.Create(ROOT, stage.new("h"), content)) == Code.INVALID


def test_an_object_that_nothing_uses_is_dead_from_birth(stage: Stage) -> None:
    content = msgspec.structs.replace(stage.big(1), extents=[])
    stage.file("f", content=content)
    with stage.database.read() as tx:
        assert [row.id for row in tx.dead_objects(END, 9)] == [content.objects[0].id]


def test_an_object_that_a_commit_brings_again(stage: Stage) -> None:
    content = stage.big(2)
    stage.file("f", content=content)
    stage.file("g", content=content)
    assert stage.live(content.objects[0].id) == 4 * SEALED
    other_size = msgspec.structs.replace(content, objects=[m.NewObject(content.objects[0].id, 7)])
    assert refusal(stage, m.Create(ROOT, stage.new("h"), other_size)) == Code.INVALID
    assert refusal(stage, m.Create(OTHER_ROOT, stage.new("h"), content), filespace=OTHER) == Code.INVALID


def test_objects_of_another_filespace_are_as_if_gone(stage: Stage) -> None:
    content = stage.big(1)
    stage.file("f", content=content)
    borrowed = msgspec.structs.replace(content, objects=[])
    assert refusal(stage, m.Create(OTHER_ROOT, stage.new("x"), borrowed), filespace=OTHER) == Code.STALE
    unknown = m.NewContent(FRAME, 1, MAC, [m.Extent(0, 1, 7, 0, 1, 999_999, 0, [SEALED])])
    assert refusal(stage, m.Create(ROOT, stage.new("x"), unknown)) == Code.STALE


def test_deleting_a_folder_frees_everything_below(stage: Stage) -> None:
    a = stage.folder("a")
    contents = [stage.big(2), stage.big(1, generation=2), small()]
    for number, content in enumerate(contents):
        stage.file(f"f{number}", a, content)
    stage.do(m.Delete(path("a"), folder=True, recursive=True))
    assert used(stage) == 0
    assert [stage.live(content.objects[0].id) for content in contents[:2]] == [0, 0]


# --- what is refused

HOLE = [m.Extent(0, 1, 7, 0, 1, 0, 5, [40])]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (m.NewContent(-1, 1, MAC), Code.INVALID),
        (m.NewContent(2**62 + 1, 1, MAC), Code.INVALID),
        (m.NewContent(0, 0, MAC), Code.INVALID),
        (m.NewContent(0, 2**63, MAC), Code.INVALID),
        (m.NewContent(0, 1, b"m" * 15), Code.INVALID),
        (m.NewContent(0, 1, MAC, small=b"no extents"), Code.INVALID),
        (m.NewContent(1, 1, MAC, HOLE, b"x" * 44), Code.INVALID),
        (m.NewContent(1, 1, MAC, HOLE), Code.INVALID),
        (m.NewContent(0, 1, MAC, HOLE, b"x" * 45), Code.INVALID),
        (m.NewContent(1, 1, MAC, HOLE, b"x" * (SMALL_BYTES_MAX + 1)), Code.TOO_LARGE),
        (m.NewContent(1, 1, MAC, HOLE * (EXTENTS_PER_COMMIT_MAX + 1)), Code.TOO_LARGE),
        (m.NewContent(2 * FRAME, 1, MAC, [*HOLE, m.Extent(1, 1, 7, 1, 1, 50, 0, [40])], b"x" * 45), Code.INVALID),
        (m.NewContent(0, 1, MAC, objects=[m.NewObject(0, 1)]), Code.INVALID),
        (m.NewContent(0, 1, MAC, objects=[m.NewObject(2**63, 1)]), Code.INVALID),
        (m.NewContent(0, 1, MAC, objects=[m.NewObject(5, 0)]), Code.INVALID),
        (m.NewContent(0, 1, MAC, objects=[m.NewObject(5, 2**40)]), Code.INVALID),
        (m.NewContent(0, 1, MAC, objects=[m.NewObject(5, 2, b"x")]), Code.INVALID),
        (m.NewContent(0, 1, MAC, objects=[m.NewObject(5, 2**18, b"x" * 2**18)]), Code.TOO_LARGE),
        (
            m.NewContent(FRAME, 1, MAC, [m.Extent(0, 1, 7, 0, 1, 5, 3, [40])], objects=[m.NewObject(5, 42)]),
            Code.INVALID,
        ),
    ],
)
def test_contents_that_cannot_be(stage: Stage, content: m.NewContent, code: Code) -> None:
    assert refusal(stage, m.Create(ROOT, stage.new("f"), content)) == code
    node = stage.file("g")
    assert refusal(stage, m.Commit(node, 0, content)) == code
