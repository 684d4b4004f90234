"""`lucid hub start`: a hub in the foreground, with a workspace and an admin's token on the first start."""

from __future__ import annotations

import asyncio
import errno
import importlib
import os
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from lucidfs.cli import options
from lucidfs.cli.exits import EXIT_CODES, UsageError, reporting
from lucidfs.clock import SystemClock
from lucidfs.crypto.account import AccountKeys
from lucidfs.crypto.token import Token
from lucidfs.errors import Fault
from lucidfs.limits import PACK_AFTER_S
from lucidfs.wire.management import is_filespace_name

EXAMPLES = """\b
Examples:
  lucid hub start
  lucid hub start --data /srv/lucid --listen 127.0.0.1:7117
  lucid hub start --listen 127.0.0.1:0        # a free port; the line `ready URL` tells which
  lucid hub backup /backup/lucid              # while it runs
  lucid hub fsck                              # does everything fit together?"""

TOKEN_FILE = "admin.token"
ADMIN_NAME = "admin"
LISTEN_DEFAULT = "127.0.0.1:7117"

HELP = "Run a hub, check it, clean it up, back it up."

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help=HELP, epilog=f"{EXAMPLES}\n\n{EXIT_CODES}")


@app.callback(help=HELP)
def hub() -> None:
    """Stands for options before a command; HELP is its text."""


@app.command(epilog=f"{EXAMPLES}\n\n{EXIT_CODES}")
def start(
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            envvar="LUCID_HUB_DATA",
            show_default="$XDG_DATA_HOME/lucid/hub, else ~/.local/share/lucid/hub",
            help="Folder of the database and the objects. Made on the first start.",
        ),
    ] = None,
    listen: Annotated[
        str, typer.Option("--listen", metavar="HOST:PORT", help="Where to serve; port 0 picks a free one.")
    ] = LISTEN_DEFAULT,
    workspace: Annotated[
        str, typer.Option("--workspace", metavar="NAME", help="Name of the workspace that the first start makes.")
    ] = "main",
    allow_private_endpoints: Annotated[
        bool,
        typer.Option(
            "--allow-private-endpoints",
            envvar="LUCID_HUB_ALLOW_PRIVATE_ENDPOINTS",
            help="URLs that accounts give (HTTP links) may be of private networks.",
        ),
    ] = False,
    pack_after: Annotated[
        float,
        typer.Option(
            "--pack-after",
            metavar="SECONDS",
            min=0,
            help="Small content that nobody wrote for this long moves from the database into objects.",
        ),
    ] = PACK_AFTER_S,
    json: options.JsonOption = False,
) -> None:
    """Serve until SIGTERM or Ctrl-C; then running work is finished and clients are told.

    The first start makes DIR, a workspace, and an account `admin` that may do everything. Its token is printed once
    and kept in DIR/admin.token, readable by you only: move it to a safe place. When the hub serves it prints one
    line: ready URL. The hub itself speaks plain HTTP: put a TLS proxy in front of it for other machines.
    """
    with reporting(json):
        host, port = parse_address(listen)
        if not is_filespace_name(workspace):
            raise UsageError(f"{workspace!r} cannot be a workspace's name: letters, digits, - and _, no dot")
        folder = data if data is not None else default_data()
        try:
            token = first_start(folder, workspace)
            if token is not None:
                _say_token(token, workspace, folder, json)
            _serve(folder, host, port, json, allow_private_endpoints, pack_after)
        except Fault as fault:  # another hub has the folder: not the same as a hub that cannot be reached
            raise OSError(errno.EBUSY, fault.message) from None


def default_data() -> Path:
    """Where a hub keeps its data unless told otherwise."""
    base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "lucid" / "hub"


def parse_address(listen: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, `[IPv6]:PORT`, `:PORT` or `HOST`."""
    host, colon, port = listen.rpartition(":")
    if not colon or listen.endswith("]"):
        host, port = listen, LISTEN_DEFAULT.rpartition(":")[2]
    if not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise UsageError(f"{listen!r} is no address: expected HOST:PORT, as in {LISTEN_DEFAULT}")
    return host.strip("[]") or "127.0.0.1", int(port)


def first_start(folder: Path, workspace: str) -> Token | None:
    """Make workspace and admin if the folder has no database yet. Returns the token of the admin, then and only then.

    The token is kept before the database is made: a crash in between leaves a token that the next start uses.
    """
    bootstrap = hub_module("bootstrap")
    if bootstrap.is_bootstrapped(folder):
        return None
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / TOKEN_FILE
    try:
        token = Token.parse(path.read_text().strip())
    except (FileNotFoundError, ValueError):
        token = Token.generate(os.urandom)
        _keep(path, token)
    keys = AccountKeys(token)
    bootstrap.bootstrap(
        folder,
        workspace,
        ADMIN_NAME,
        keys.key_id,
        keys.login_public,
        keys.sealing_public,
        clock=SystemClock(),
        random=os.urandom,
    )
    return token


def _keep(path: Path, token: Token) -> None:
    """Write a token so that only its owner can ever read it."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(token.text() + "\n")
        file.flush()
        os.fsync(file.fileno())


def _say_token(token: Token, workspace: str, folder: Path, json: bool) -> None:
    path = str(folder / TOKEN_FILE)
    if json:
        _say({"event": "token", "workspace": workspace, "account": ADMIN_NAME, "token": token.text(), "file": path})
        return
    print(f"workspace {workspace}, account {ADMIN_NAME}; its token is shown only now, and kept in {path}")
    print(f"token {token.text()}", flush=True)


def _say(event: dict[str, Any]) -> None:
    """One event as one line of JSON: this command goes on, so its output is a stream."""
    print(msgspec.json.encode(event).decode(), flush=True)


def _serve(folder: Path, host: str, port: int, json: bool, private: bool, pack_after: float) -> None:
    def ready(url: str) -> None:
        if json:
            _say({"event": "ready", "url": url})
        else:
            print(f"ready {url}", flush=True)

    settings = hub_module("settings").HubSettings(allow_private_endpoints=private, pack_after_s=pack_after)
    asyncio.run(hub_module("serve").serve(folder, host, port, on_ready=ready, settings=settings))


def hub_module(name: str) -> Any:
    """A module of the hub, which needs the extra `hub`. Raises UsageError when that is not installed."""
    try:
        return importlib.import_module(f"lucidfs.hub.{name}")
    except ModuleNotFoundError as error:
        raise no_hub(error) from None


def no_hub(error: ModuleNotFoundError) -> UsageError:
    """What a user is told who installed the client alone."""
    return UsageError(f"this installation has no hub ({error.name} is missing): pip install 'openlucid[hub]'")
