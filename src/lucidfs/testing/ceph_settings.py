"""The configuration of a Ceph cluster for tests: one monitor, one disk and a gateway, quick to start and to forget."""

from __future__ import annotations

from pathlib import Path

from lucidfs.limits import MIB

HOST = "127.0.0.1"
MEMORY_BYTES = 8 * 1024 * MIB  # of objects; taken when they come
DISK_BYTES = 20 * 1024 * MIB  # a sparse file
CACHE_BYTES = 1024 * MIB  # what bluestore may hold in memory; memstore does not look at it


def ceph_settings(folder: Path, cluster: str, monitors: str, port: int, objects: str) -> str:
    """The text of ceph.conf.

    Args:
        folder: where everything is kept.
        cluster: id of the cluster.
        monitors: addresses of the monitor in Ceph's form.
        port: of the gateway.
        objects: "memstore" or "bluestore".
    """
    return f"""\
[global]
fsid = {cluster}
mon host = {monitors}
public network = 127.0.0.0/8
public addr = {HOST}
cluster addr = {HOST}
ms bind ipv6 = false
keyring = {folder}/keyring
run dir = {folder}
log file = {folder}/$name.log
# no sockets and files beside the folder; its path may be too long for a socket
admin socket =
pid file =
# one copy of everything
osd pool default size = 1
osd pool default min size = 1
osd crush chooseleaf type = 0
mon allow pool size one = true
osd pool default pg num = 8
osd pool default pg autoscale mode = off
mon max pg per osd = 1000
# no alarm on a disk that is nearly full
mon data avail warn = 1
mon data avail crit = 1
# Each of a dozen steps of the start would wait for a round of the monitor (1 s) or a look at a clock (5 s).
paxos propose interval = 0.02
paxos min wait = 0.005
mon tick interval = 1
osd tick interval = 0.5
objecter tick interval = 0.5
[mon]
mon data = {folder}/mon
[osd]
osd data = {folder}/osd
osd objectstore = {objects}
memstore device bytes = {MEMORY_BYTES}
memstore page set = false
bluestore block create = true
bluestore block size = {DISK_BYTES}
bluestore fsck on mkfs = false
osd memory target = {CACHE_BYTES}
osd class load list = *
osd class default list = *
# ends without talk with the monitor: nobody needs its data
osd fast shutdown notify mon = false
osd mon shutdown timeout = 0.1
[client]
rgw override bucket index max shards = 1
rgw dynamic resharding = false
rgw gc max objs = 2
rgw lc max objs = 2
rgw reshard num logs = 1
rgw num control oids = 1
[client.rgw]
rgw frontends = beast endpoint={HOST}:{port} tcp_nodelay=1
rgw thread pool size = 64
rgw run sync thread = false
rgw enable usage log = false
rgw enable ops log = false
# memory of deleted objects comes back soon, but whoever reads one can finish
rgw gc obj min wait = 60
rgw gc processor period = 60
"""
