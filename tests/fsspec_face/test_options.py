"""The fsspec driver: paths, options, and who shares a client."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import fsspec
import pytest

import lucidlink
from lucidlink.fsspec import LucidLinkFileSystem
from tests.sdk import World

FS = LucidLinkFileSystem


@pytest.mark.parametrize(
    ("given", "stripped"),
    [
        ("lucidlink://demo/data/a/b.txt", "demo/data/a/b.txt"),
        ("lucidlink://data.demo/a/b.txt", "demo/data/a/b.txt"),
        ("data.demo/a", "demo/data/a"),
        ("demo/data/", "demo/data"),
        ("/demo/data//a/./b/", "demo/data/a/b"),
        ("lucidlink://", ""),
        ("demo/data/a.b/c", "demo/data/a.b/c"),
        (Path("demo/data/x"), "demo/data/x"),
        (["demo/data/x", "lucidlink://demo/data/y"], ["demo/data/x", "demo/data/y"]),
    ],
)
def test_every_form_of_a_path_means_the_same(given: Any, stripped: Any) -> None:
    assert FS._strip_protocol(given) == stripped


def test_a_url_needs_nothing_but_the_installation(shared: World, driver: FS, home: str) -> None:
    options = {"token": shared.tokens["admin"], "hub": shared.hub.url}
    with fsspec.open(f"lucidlink://{home}/file.txt", "wt", **options) as file:
        file.write("héllo\n")
    with fsspec.open(f"lucidlink://{home}/file.txt", "rt", **options) as file:
        assert file.read() == "héllo\n"
    assert fsspec.filesystem("lucidlink", **options) is fsspec.filesystem("lucidlink", **options)
    fsspec.filesystem("lucidlink", **options).close()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"token": ""}, "token"),
        ({"token": "nonsense"}, "token"),
        ({"sandboxed": "yes"}, "sandboxed"),
        ({"sync_mode": "some"}, "sync_mode"),
        ({"hub": "nonsense"}, "hub"),
        ({"hub": 7117}, "hub"),
        ({"persist_files": True}, "persist_files"),
        ({"root_path": "somewhere"}, "root_path"),
        ({"root_path": 3, "sandboxed": False}, "root_path"),
        ({"tokn": "x"}, "tokn"),
    ],
)
def test_a_wrong_option_is_named(shared: World, options: dict[str, Any], named: str) -> None:
    with pytest.raises(lucidlink.ConfigurationError, match=f"^{named}: ") as refused:
        FS(**{"token": shared.tokens["admin"], **options})
    assert isinstance(refused.value, ValueError)
    assert shared.tokens["admin"] not in str(refused.value)


def test_what_was_refused_can_be_shown() -> None:
    half = FS.__new__(FS)  # as the frames of a traceback hold it
    with pytest.raises(lucidlink.ConfigurationError):
        FS.__init__(half, token="nonsense")
    assert repr(half) == str(half) == "<LucidLinkFileSystem whose options were refused>"


def test_options_of_http_drivers_are_ignored(shared: World) -> None:
    fs = FS(token=shared.tokens["admin"], hub=shared.hub.url, client_kwargs={"trust_env": True})
    assert "client_kwargs" not in fs.options
    fs.close()


def test_token_and_hub_come_from_the_environment(
    shared: World, home: str, driver: FS, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUCIDLINK_TOKEN", shared.tokens["writer"])
    monkeypatch.setenv("LUCIDLINK_HUB", shared.hub.url)
    fs = FS(skip_instance_cache=True)
    fs.pipe_file(f"{home}/a", b"a")
    assert driver.cat_file(f"{home}/a") == b"a"
    fs.close()


def test_a_bad_hub_of_the_environment_is_named(shared: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUCIDLINK_HUB", "nonsense")
    with pytest.raises(lucidlink.ConfigurationError, match=r"^LUCIDLINK_HUB: "):
        FS(token=shared.tokens["admin"])


def test_the_token_shows_nowhere_but_in_a_pickle(shared: World, driver: FS, home: str) -> None:
    token = shared.tokens["admin"]
    assert token not in repr(driver) + str(driver) + repr(driver.options) + repr(driver._terms)
    again = pickle.loads(pickle.dumps(driver))
    again.pipe_file(f"{home}/a", b"a")
    assert driver.cat_file(f"{home}/a") == b"a"
    again.close()


def test_instances_share_one_client_until_the_last_one_closes(shared: World) -> None:
    options: dict[str, Any] = {"token": shared.tokens["second"], "hub": shared.hub.url, "skip_instance_cache": True}
    one, two = FS(**options), FS(**options)
    assert one.ls("demo") == two.ls("demo")
    assert one._shared is two._shared is not None
    shared_client = one._shared
    assert shared_client is not None
    one.close()
    one.close()
    assert two.exists("demo/data")
    two.close()
    assert not shared_client._daemon.is_running()
    with pytest.raises(lucidlink.FilespaceError, match="closed"):
        one.ls("demo")


def test_a_closed_instance_leaves_the_cache(shared: World) -> None:
    options: dict[str, Any] = {"token": shared.tokens["second"], "hub": shared.hub.url}
    first = fsspec.filesystem("lucidlink", **options)
    first.close()
    second = fsspec.filesystem("lucidlink", **options)
    assert second is not first
    assert second.exists("demo/data")
    second.close()


def test_no_answer_is_not_a_no(shared: World) -> None:
    fs = FS(token=shared.tokens["admin"], hub="http://127.0.0.1:9")
    with pytest.raises(ConnectionError):  # fsspec's own would say no
        fs.exists("demo/data/x")
    fs.close()


def test_what_is_above_a_filespace(driver: FS, shared: World) -> None:
    assert driver.ls("", detail=False) == ["demo"]
    assert driver.ls("lucidlink://demo", detail=False) == ["demo/data", "demo/other"]
    assert driver.isdir("") and driver.isdir("demo") and driver.isdir("demo/data")
    for missing in ("nobody", "nobody/data/x", "demo/nothing/x"):
        assert not driver.exists(missing)
        with pytest.raises(FileNotFoundError):
            driver.ls(missing)
    with pytest.raises(FileExistsError):
        driver.mkdir("demo/data")
    with pytest.raises(PermissionError):
        driver.rm("demo/data", recursive=True)
    stranger = FS(token=shared.tokens["stranger"], hub=shared.hub.url)
    assert not stranger.exists("demo/data/x")
    stranger.close()
