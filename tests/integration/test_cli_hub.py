"""`lucid hub start`, `filespace`, `account` and `quickstart` as processes."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from lucidfs.crypto.token import Token
from lucidfs.testing.hubs import new_hub
from tests.integration.lucid import Lucid


def started(process: subprocess.Popen[str]) -> list[str]:
    """The lines of a hub up to and with `ready URL`."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line.strip())
        if seen[-1].startswith("ready "):
            return seen
    raise AssertionError((seen, process.stderr and process.stderr.read()))


def ended(process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


# --- hub start --------------------------------------------------------------------------------------------------


def test_the_first_start_tells_the_token_once(tmp_path: Path) -> None:
    shell = Lucid("", "", tmp_path)
    command = ("hub", "start", "--data", "deep/data", "--listen", "127.0.0.1:0", "--workspace", "studio")
    process = shell.start(*command)
    *_, token_line, ready = started(process)
    token = token_line.removeprefix("token ")
    file = tmp_path / "deep" / "data" / "admin.token"
    assert file.read_text() == Token.parse(token).text() + "\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    url = ready.removeprefix("ready ")
    admin = Lucid(url, token, tmp_path)
    assert admin.ok("ls", "lucidlink://").out == "studio\n"
    admin.ok("filespace", "create", "data")
    assert ended(process) == (0, "")

    file.unlink()  # its owner moved it to a safe place
    process = shell.start(*command)
    assert [line.split()[0] for line in started(process)] == ["ready"]
    assert not file.exists()
    process.kill()
    process.communicate()

    process = shell.start("hub", "start", "--data", "deep/data", "--listen", url.removeprefix("http://"))
    assert started(process) == [f"ready {url}"]
    assert [item["name"] for item in admin.ok("filespace", "list", "--json").json] == ["data"]
    assert ended(process, signal.SIGINT)[0] == 0


def test_json_events_and_the_default_folder(tmp_path: Path) -> None:
    process = Lucid("", "", tmp_path).start("hub", "start", "--listen", "127.0.0.1:0", "--json")
    assert process.stdout is not None
    token, ready = json.loads(process.stdout.readline()), json.loads(process.stdout.readline())
    folder = tmp_path / ".local" / "share" / "lucid" / "hub"
    assert (token["event"], token["workspace"], token["account"]) == ("token", "main", "admin")
    assert token["file"] == str(folder / "admin.token")
    assert ready["event"] == "ready"
    assert ended(process) == (0, "")


@pytest.mark.parametrize("listen", ["nonsense:port", "127.0.0.1:99999", "127.0.0.1:-1"])
def test_no_address_is_a_usage_error(tmp_path: Path, listen: str) -> None:
    done = Lucid("", "", tmp_path).run("hub", "start", "--data", "data", "--listen", listen)
    assert done.code == 2
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("seconds", ["-1", "soon"])
def test_no_time_is_a_usage_error(tmp_path: Path, seconds: str) -> None:
    done = Lucid("", "", tmp_path).run("hub", "start", "--data", "data", "--pack-after", seconds)
    assert done.code == 2 and "--pack-after" in done.err
    assert not (tmp_path / "data").exists()


def test_a_folder_and_a_port_serve_one_hub(tmp_path: Path) -> None:
    hub, _ = new_hub(tmp_path)
    shell = Lucid("", "", tmp_path)
    done = shell.run("hub", "start", "--data", hub.data, "--listen", "127.0.0.1:0")
    assert (done.code, done.out) == (1, "")
    taken = shell.run("hub", "start", "--data", "second", "--listen", hub.url.removeprefix("http://"))
    assert taken.code == 1
    assert "in use" in taken.err
    hub.stop()


# --- filespaces and accounts ------------------------------------------------------------------------------------


def test_filespaces_from_the_shell(tmp_path: Path) -> None:
    hub, token = new_hub(tmp_path)
    admin = Lucid(hub.url, token, tmp_path)
    assert "production-data" in admin.ok("filespace", "create", "production-data").out
    assert admin.run("filespace", "create", "production-data").code == 1
    assert admin.run("filespace", "create", "two.dots").code == 2
    made = admin.ok("filespace", "create", "second", "--json").json
    assert (made["full_name"], made["role"]) == ("second.demo", "admin")
    admin.ok("filespace", "rename", "second", "archive")
    head, *rows = admin.ok("filespace", "list").out.splitlines()
    assert head.split() == ["name", "id", "role", "created", "store"]
    assert [row.split()[0] for row in rows] == ["archive", "production-data"]
    assert admin.run("filespace", "rename", "nothing", "x").code == 4
    assert admin.run("filespace", "delete", "archive").code == 2  # nobody can be asked
    assert admin.ok("filespace", "delete", "archive", "--yes", "--json").json["deleted"]["id"] == made["id"]
    assert admin.run("filespace", "delete", "archive", "--yes").code == 4
    hub.stop()


def test_accounts_from_the_shell(tmp_path: Path) -> None:
    hub, token = new_hub(tmp_path)
    admin = Lucid(hub.url, token, tmp_path)
    admin.ok("filespace", "create", "data")
    admin.ok("filespace", "create", "other")
    root = "lucidlink://demo/data"
    shown = admin.ok("account", "create", "ann", "--filespace", "data", "--role", "write").out
    ann = Lucid(hub.url, shown.splitlines()[-1], tmp_path)
    ann.ok("mkdir", f"{root}/from-ann")
    assert ann.run("account", "create", "eve", "--filespace", "data").code == 5
    assert ann.run("ls", "lucidlink://demo/other").code == 4

    made = admin.ok("account", "create", "bob", "-f", "data", "--role", "read", "--json").json
    bob = Lucid(hub.url, made["token"], tmp_path)
    assert bob.ok("ls", root).out == "from-ann/\n"
    assert bob.run("mkdir", f"{root}/from-bob").code == 5
    granted = admin.ok(
        "account", "grant", "bob", "-f", "data", "--role", "write", "--key", made["fingerprint"], "--json"
    )
    assert granted.json == {"account": "bob", "filespace": "data", "role": "write"}
    bob.ok("mkdir", f"{root}/from-bob")
    assert admin.run("account", "grant", "bob", "-f", "data", "--role", "write", "--key", "0" * 16).code == 1

    listed = {item["name"]: item for item in admin.ok("account", "list", "--json").json}
    assert listed.keys() == {"admin", "ann", "bob"}
    assert listed["bob"]["grants"] == [{"filespace": "data", "id": listed["ann"]["grants"][0]["id"], "role": "write"}]
    assert all("token" not in item for item in listed.values())
    assert "write in data" in admin.ok("account", "list").out

    rotated = Lucid(hub.url, ann.ok("account", "rotate", "ann").out.splitlines()[-1], tmp_path)
    assert ann.run("ls", root).code == 5
    rotated.ok("ls", root)
    admin.ok("account", "revoke", "bob", "--filespace", "data")
    assert bob.run("ls", root).code in (4, 5)
    admin.ok("account", "revoke", "ann")
    assert rotated.run("ls", root).code == 5
    assert admin.run("account", "revoke", "ann").code == 4
    assert admin.run("account", "revoke", "admin").code == 1  # the last one
    assert admin.run("account", "create", "eve").code == 2
    assert admin.run("account", "create", "eve", "-f", "data", "--role", "owner").code == 2
    hub.stop()


def test_a_workspace_admin_from_the_shell(tmp_path: Path) -> None:
    hub, token = new_hub(tmp_path)
    admin = Lucid(hub.url, token, tmp_path)
    ops = Lucid(hub.url, admin.ok("account", "create", "ops", "--workspace-admin", "--json").json["token"], tmp_path)
    ops.ok("filespace", "create", "data")
    ops.ok("account", "create", "ann", "-f", "data", "--role", "read")
    assert admin.run("account", "create", "eve", "-f", "data").code == 5  # holds no key of it
    assert admin.run("ls", "lucidlink://demo/data").code in (4, 5)
    hub.stop()


# --- quickstart -------------------------------------------------------------------------------------------------


def test_quickstart_shows_each_step_and_leaves_nothing(tmp_path: Path) -> None:
    shell = Lucid("", "", tmp_path)
    done = shell.ok("quickstart")
    for shown in (
        "lucid hub start",
        "lucid filespace create production-data",
        "daemon = lucidlink.create_daemon()",
        'workspace.link_filespace(name="production-data")',
        "b'Hello from LucidLink!'",
        "4194304 bytes",
        'lock_type="exclusive"',
        "locked: ['exclusive']",
        "example.txt: 21 bytes",
        "lucid quickstart --serve",
    ):
        assert shown in done.out
    assert list(tmp_path.iterdir()) == []
    told = shell.ok("quickstart", "--json").json
    assert (told["workspace"], told["filespace"], told["serving"]) == ("demo", "production-data", False)
    assert all(step["says"] and step["code"] for step in told["steps"])


def test_quickstart_needs_no_hub_and_minds_no_other(tmp_path: Path) -> None:
    Lucid("http://127.0.0.1:9", Token.generate(os.urandom).text(), tmp_path).ok("quickstart")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_quickstart_serves_until_it_is_told(tmp_path: Path, number: signal.Signals) -> None:
    process = Lucid("", "", tmp_path).start("quickstart", "--serve")
    assert process.stdout is not None
    exports = {}
    for line in process.stdout:
        if line.startswith("export "):
            name, _, value = line.strip().removeprefix("export ").partition("=")
            exports[name] = value
        if len(exports) == 2:
            break
    other = Lucid(exports["LUCIDLINK_HUB"], exports["LUCIDLINK_TOKEN"], tmp_path)
    root = "lucidlink://demo/production-data"
    assert other.ok("ls", root).out == "example.txt\noutput.dat\n"
    assert other.ok("cat", f"{root}/example.txt").out == "HELLO FROM LUCIDLINK!"
    friend = other.ok("account", "create", "friend", "--filespace", "production-data", "--role", "read", "--json").json
    assert Lucid(other.hub, friend["token"], tmp_path).ok("ls", root).out
    code, errors = ended(process, number)
    assert code == 0
    assert "Traceback" not in errors
    assert other.run("ls", root).code == 3
