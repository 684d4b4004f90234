"""Paths: what they mean, and which are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucidfs.errors import Code, Fault
from lucidfs.limits import PATH_DEPTH_MAX
from lucidfs.namespace.names import check_name, split_path


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("", []),
        ("/", []),
        (".", []),
        ("//./", []),
        ("/a", ["a"]),
        ("a", ["a"]),
        ("/a/", ["a"]),
        ("/a//b/./c", ["a", "b", "c"]),
        ("/a/../b", ["b"]),
        ("/a/b/../..", []),
        ("/...", ["..."]),
        ("/ a /\t", [" a ", "\t"]),
        ("/a\\b:c*", ["a\\b:c*"]),
        ("/é/日本", ["é", "日本"]),
        ("/" + "n" * 255, ["n" * 255]),
        ("/" + "é" * 127, ["é" * 127]),
        ("/x" * PATH_DEPTH_MAX, ["x"] * PATH_DEPTH_MAX),
    ],
)
def test_names_of_a_path(path: str, names: list[str]) -> None:
    assert split_path(path) == names


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("..", Code.INVALID),
        ("/a/../..", Code.INVALID),
        ("/a/../../a", Code.INVALID),
        ("/a\0b", Code.INVALID),
        ("/\ud800", Code.INVALID),
        ("/" + "n" * 256, Code.NAME_TOO_LONG),
        ("/" + "é" * 128, Code.NAME_TOO_LONG),
        ("/x" * (PATH_DEPTH_MAX + 1), Code.INVALID),
    ],
)
def test_refused_paths(path: str, code: Code) -> None:
    with pytest.raises(Fault) as refused:
        split_path(path)
    assert refused.value.code == code


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0", "\udfff"])
def test_refused_names(name: str) -> None:
    with pytest.raises(Fault, match="INVALID"):
        check_name(name)


def test_a_name_is_returned_as_it_is() -> None:
    assert check_name("e\u0301") == "e\u0301"  # not normalised


@given(st.text())
def test_a_path_is_refused_or_made_of_good_names(path: str) -> None:
    try:
        names = split_path(path)
    except Fault:
        return
    assert [check_name(name) for name in names] == names
    assert split_path("/".join(names)) == names
