"""A real S3 server for tests: Ceph's RADOS Gateway on one node, in a folder of its own, on free ports of loopback.

It checks signatures and expiry, serves ranges, and knows conditional writes. Needs Debian's packages radosgw, ceph-mon
and ceph-osd; takes about ten seconds to start from nothing.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from types import TracebackType

PACKAGES = ("radosgw", "ceph-mon", "ceph-osd")
_PROGRAMS = ("radosgw", "ceph-mon", "ceph-osd", "ceph", "ceph-authtool", "monmaptool", "radosgw-admin")
_START_S = 90.0

_CONFIGURATION = """\
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon},v1:127.0.0.1:{mon_old}]
public network = 127.0.0.0/8
public addr = 127.0.0.1
cluster addr = 127.0.0.1
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon data = {folder}/mon
mon data avail warn = 1
mon data avail crit = 1
mon warn on pool no redundancy = false
auth allow insecure global id reclaim = false
run dir = {folder}
log file = {folder}/$name.log
admin socket = {folder}/$name.asok
pid file = {folder}/$name.pid
ms bind ipv6 = false
keyring = {folder}/keyring
[osd]
osd data = {folder}/osd0
osd objectstore = bluestore
bluestore block create = true
bluestore block size = 21474836480
osd memory target = 1073741824
bluestore fsck quick fix on mount = false
osd class load list = *
osd class default list = *
osd crush update on start = true
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw enable usage log = false
rgw enable ops log = false
rgw dns name = 127.0.0.1
rgw thread pool size = 64
rgw override bucket index max shards = 1
rgw dynamic resharding = false
"""


class RadosGateway:
    """A running server. As a context manager it stops at the end.

    Attributes:
        endpoint: `http://127.0.0.1:PORT`.
        access_key, secret_key, region: of a user who may make buckets.

    Raises:
        RuntimeError: it could not be started; the message has the end of its logs.
    """

    region = "us-east-1"
    access_key = "testkey"
    secret_key = "testsecret"

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="lucid-s3-"))
        self._processes: list[subprocess.Popen[bytes]] = []
        port, mon, mon_old = _free_ports(3)
        self.endpoint = f"http://127.0.0.1:{port}"
        self._environment = {**os.environ, "CEPH_CONF": str(self._folder / "ceph.conf")}
        self._environment.pop("LD_PRELOAD", None)
        (self._folder / "ceph.conf").write_text(
            _CONFIGURATION.format(fsid=uuid.uuid4(), folder=self._folder, port=port, mon=mon, mon_old=mon_old)
        )
        try:
            self._start(mon, mon_old)
        except BaseException as error:
            logs = self._logs()
            self.stop()
            if isinstance(error, (OSError, subprocess.SubprocessError, TimeoutError)):
                raise RuntimeError(f"the S3 server did not start: {error}\n{logs}") from error
            raise

    @staticmethod
    def missing() -> str:
        """What is not installed, and how to install it; empty when all is there."""
        absent = [name for name in _PROGRAMS if shutil.which(name) is None]
        if not absent:
            return ""
        return f"{', '.join(absent)} not found: apt-get install -y --no-install-recommends {' '.join(PACKAGES)}"

    def new_user(self, name: str) -> tuple[str, str]:
        """Make another user; access key and secret key."""
        self._run(
            "radosgw-admin", "user", "create", f"--uid={name}", f"--display-name={name}",
            f"--access-key={name}key", f"--secret={name}secret",
        )  # fmt: skip
        return f"{name}key", f"{name}secret"

    def stop(self) -> None:
        """End the processes and remove the folder. Once more: nothing happens."""
        for process in reversed(self._processes):
            process.kill()  # what it holds goes with it; an orderly end takes five seconds
        for process in self._processes:
            process.wait()
        self._processes.clear()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> RadosGateway:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self, mon: int, mon_old: int) -> None:
        folder, keyring, monmap = self._folder, self._folder / "keyring", self._folder / "monmap"
        fsid = str(uuid.uuid4())
        (folder / "mon").mkdir()
        (folder / "osd0").mkdir()
        addresses = f"[v2:127.0.0.1:{mon},v1:127.0.0.1:{mon_old}]"
        self._run("monmaptool", "--create", "--fsid", self._fsid(), "--addv", "a", addresses, str(monmap))
        self._key("-C", "mon.", "mon", "allow *")
        self._key("", "client.admin", "mon", "allow *", "osd", "allow *", "mgr", "allow *")
        self._key("", "client.rgw", "mon", "allow rw", "osd", "allow rwx")
        self._key("", "osd.0", "mon", "allow profile osd", "osd", "allow *")
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", str(monmap), "--keyring", str(keyring))
        self._spawn("ceph-mon", "-f", "-i", "a")
        self._run("ceph", "--connect-timeout", "30", "osd", "new", fsid)
        self._run("ceph", "auth", "import", "-i", str(keyring))
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", fsid)
        self._run("ceph", "osd", "crush", "add", "osd.0", "1.0", "root=default", "host=localhost")
        self._spawn("ceph-osd", "-f", "-i", "0")
        self._run(
            "radosgw-admin", "user", "create", "--uid=test", "--display-name=test",
            f"--access-key={self.access_key}", f"--secret={self.secret_key}",
        )  # fmt: skip
        self._spawn("radosgw", "-f", "-n", "client.rgw")
        self._wait_until_it_answers()

    def _fsid(self) -> str:
        first = next(line for line in (self._folder / "ceph.conf").read_text().splitlines() if line.startswith("fsid"))
        return first.partition("= ")[2]

    def _key(self, create: str, name: str, *caps: str) -> None:
        grants = [text for pair in zip(caps[::2], caps[1::2], strict=True) for text in ("--cap", *pair)]
        self._run(
            "ceph-authtool",
            *([create] if create else []),
            str(self._folder / "keyring"),
            "--gen-key",
            "-n",
            name,
            *grants,
        )

    def _run(self, *command: str) -> None:
        subprocess.run(
            command, env=self._environment, check=True, timeout=_START_S, stdin=subprocess.DEVNULL, capture_output=True
        )

    def _spawn(self, *command: str) -> None:
        with open(self._folder / f"{command[0]}.out", "wb") as out:
            process = subprocess.Popen(
                command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,  # Ctrl-C is for the tests, which stop it then
                preexec_fn=die_with_parent,
            )
        self._processes.append(process)

    def _wait_until_it_answers(self) -> None:
        end = time.monotonic() + _START_S
        while time.monotonic() < end:
            dead = [process for process in self._processes if process.poll() is not None]
            if dead:
                raise TimeoutError(f"a server ended with {dead[0].returncode}")
            try:
                urllib.request.urlopen(self.endpoint, timeout=5).close()
            except urllib.error.HTTPError:
                return  # it answers
            except OSError:
                time.sleep(0.1)
            else:
                return
        raise TimeoutError(f"nothing answered within {_START_S:g} s")

    def _logs(self) -> str:
        texts = []
        for path in sorted([*self._folder.glob("*.log"), *self._folder.glob("*.out")]):
            lines = path.read_text(errors="replace").splitlines()[-8:]
            texts += [f"--- {path.name}", *lines]
        return "\n".join(texts)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def die_with_parent() -> None:
    """In the child: the kernel ends it when the thread that started it ends, however that happens (Linux)."""
    try:
        import ctypes

        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
    except (OSError, AttributeError):
        return
