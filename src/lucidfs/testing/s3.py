"""A real S3 server for tests: Ceph's RADOS Gateway on one node, as child processes with a folder that goes with them.

It checks signatures and their expiry, serves ranges and conditional requests, and is what large installations run.
Ready about 1.5 s after the call, because everything that a fresh cluster usually agrees on by messages is written down
before it starts: the maps of monitors and disks, and all keys.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import socket
import struct
import tempfile
import time
import uuid
from pathlib import Path
from typing import Literal

from lucidfs.limits import MIB
from lucidfs.testing.ceph_settings import HOST, ceph_settings
from lucidfs.testing.daemons import Daemons, PortTakenError, find_program

PROGRAMS = ("radosgw", "radosgw-admin", "ceph-mon", "ceph-osd", "monmaptool", "osdmaptool")
INSTALL = "apt-get install -y --no-install-recommends radosgw ceph-mon ceph-osd"
START_S = 90.0
_POLL_S = 0.03

ObjectStore = Literal["memstore", "bluestore"]


class RadosGateway:
    """A running server; leave it with `stop()` or as a context manager. Nothing of it stays.

    Start it in the main thread where possible: then the processes also end when this one is killed (Linux).
    Any number can run side by side. It takes path style addresses, any Host header and any region's signature.

    Args:
        objects: "memstore" keeps objects in memory (twice their size, up to 8 GiB of them); "bluestore"
            in a sparse file of up to 20 GiB in the temporary folder, which takes 3 s more to start and a filesystem
            that knows O_DIRECT.
        start_s: seconds it may take to start.

    Attributes:
        endpoint: http://127.0.0.1:PORT.
        access_key, secret_key: of a user who may do everything with its own buckets.
        region: what to sign for.

    Raises:
        FileNotFoundError: programs are missing; says which and how to install them.
        RuntimeError: it did not come up in time; with the ends of its logs.
    """

    region = "us-east-1"

    def __init__(self, objects: ObjectStore = "memstore", start_s: float = START_S) -> None:
        missing = self.missing()
        if missing:
            raise FileNotFoundError(missing)
        self.endpoint = ""
        self.access_key, self.secret_key = "", ""
        self._objects = objects
        end = time.monotonic() + start_s
        while not self._started(end):
            pass

    def __enter__(self) -> RadosGateway:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pids(self) -> dict[str, int]:
        """Process id of each daemon, by its program's name."""
        return {name: daemon.pid for name, daemon in self._daemons.running.items()}

    @staticmethod
    def missing() -> str:
        """Which programs are not there and how to install them; empty if it can start."""
        names = [name for name in PROGRAMS if not find_program(name)]
        return f"no {', '.join(names)} on this machine; on Debian and Ubuntu: {INSTALL}" if names else ""

    def stop(self) -> None:
        """End the processes and remove the folder. Once more: nothing happens."""
        self._daemons.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    # --- users ---------------------------------------------------------------------------------------------------

    def new_user(self, name: str) -> tuple[str, str]:
        """Make a user; it sees no bucket of others.

        Returns:
            Its access key and its secret key.

        Raises:
            RuntimeError: the server refused, for example because there is such a user.
        """
        return self._keys("user", "create", f"--uid={name}", f"--display-name={name}")

    def rekey(self, name: str) -> tuple[str, str]:
        """Give a user new keys; its old ones are refused from the next request on (the gateway is told at once).

        Raises:
            RuntimeError: there is no such user.
        """
        user = json.loads(self._admin("user", "info", f"--uid={name}"))
        for key in user["keys"]:
            self._admin("key", "rm", f"--uid={name}", f"--access-key={key['access_key']}")
        return self._keys("key", "create", f"--uid={name}", "--key-type=s3", "--gen-access-key", "--gen-secret")

    def remove_user(self, name: str) -> None:
        """Delete a user with all of its buckets and objects; its keys are refused from the next request on.

        Raises:
            RuntimeError: there is no such user.
        """
        self._admin("user", "rm", f"--uid={name}", "--purge-data")

    def remove_bucket(self, name: str) -> None:
        """Delete a bucket with all of its objects; their memory is free at once. None of that name: nothing happens."""
        self._admin("bucket", "rm", f"--bucket={name}", "--purge-objects", "--bypass-gc")

    def _keys(self, *arguments: str) -> tuple[str, str]:
        key = json.loads(self._admin(*arguments))["keys"][0]
        return key["access_key"], key["secret_key"]

    def _admin(self, *arguments: str) -> str:
        return self._ceph("radosgw-admin", *arguments)

    def _ceph(self, program: str, *arguments: str, until: float | None = None) -> str:
        return self._daemons.run(program, "--conf", str(self._folder / "ceph.conf"), *arguments, until=until)

    # --- start ---------------------------------------------------------------------------------------------------

    def _started(self, end: float) -> bool:
        """Start it; False if somebody else was faster at one of the ports that we found free."""
        self._folder = Path(tempfile.mkdtemp(prefix="openlucid-s3-"))
        self._daemons = Daemons(self._folder)
        try:
            self._start(self._folder, end)
        except PortTakenError:
            self.stop()
            if time.monotonic() > end:
                raise
            return False
        except BaseException:
            self.stop()
            raise
        return True

    def _start(self, folder: Path, end: float) -> None:
        monitor, old_monitor, gateway = _free_ports(3)
        addresses = f"[v2:{HOST}:{monitor},v1:{HOST}:{old_monitor}]"
        cluster, disk = str(uuid.uuid4()), str(uuid.uuid4())
        (folder / "ceph.conf").write_text(ceph_settings(folder, cluster, addresses, gateway, self._objects))
        (folder / "keyring").write_text(_keyring())
        (folder / "mon").mkdir()
        (folder / "osd").mkdir()
        maps = str(folder / "monmap"), str(folder / "osdmap")
        self._daemons.run("monmaptool", "--create", "--fsid", cluster, "--addv", "a", addresses, maps[0])
        self._daemons.run("osdmaptool", "--createsimple", "1", maps[1])
        keyring = str(folder / "keyring")
        self._ceph("ceph-mon", "--mkfs", "-i", "a", "--monmap", maps[0], "--osdmap", maps[1], "--keyring", keyring)
        conf = ("--conf", str(folder / "ceph.conf"))
        self._daemons.launch("ceph-mon", "-f", *conf, "-i", "a")
        self._ceph("ceph-osd", "--mkfs", "-i", "0", "--osd-uuid", disk, until=end)
        self._daemons.launch("ceph-osd", "-f", *conf, "-i", "0")
        self._daemons.launch("radosgw", "-f", *conf, "-n", "client.rgw")
        command = ("user", "create", "--uid=test", "--display-name=test")
        user = json.loads(self._ceph("radosgw-admin", *command, until=end))
        self.access_key, self.secret_key = user["keys"][0]["access_key"], user["keys"][0]["secret_key"]
        while not _answers(gateway):
            self._daemons.check(end)
            time.sleep(_POLL_S)
        self._daemons.check(end)  # that it was ours who answered
        self.endpoint = f"http://{HOST}:{gateway}"


def _keyring() -> str:
    """Keys for everybody, in Ceph's form: type 1 (AES), time of creation, length, the key."""
    created = int(time.time())
    lines = []
    for name, what in [("mon.", "mon"), ("osd.0", "mon osd"), ("client.admin", "mon osd"), ("client.rgw", "mon osd")]:
        secret = os.urandom(16)
        key = base64.b64encode(struct.pack("<HIIH", 1, created, 0, len(secret)) + secret).decode()
        lines += [f"[{name}]", f"key = {key}", *(f'caps {one} = "allow *"' for one in what.split())]
    return "\n".join(lines) + "\n"


def _free_ports(count: int) -> list[int]:
    """Ports that nobody has at this moment."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server((HOST, 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]


def _answers(port: int) -> bool:
    """Whether a web server answers there."""
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1.0) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n".encode())
        return connection.recv(MIB).startswith(b"HTTP/1.1 200")
    return False
