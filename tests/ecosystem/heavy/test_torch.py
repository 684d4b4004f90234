"""PyTorch: loaders whose workers are processes, and models in streams."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import fsspec
import numpy as np
import pytest
import torch
import torch.distributed.checkpoint as checkpoint
from torch.distributed.checkpoint._fsspec_filesystem import FsspecReader, FsspecWriter
from torch.utils.data import DataLoader, Dataset, IterableDataset, get_worker_info

import lucidlink
from lucidlink.fsspec import LucidLinkFileSystem

Driver = LucidLinkFileSystem
FS = lucidlink.Filesystem
library = pytest.mark.library
FILES, ROWS, WIDTH = 200, 20_000, 64
ROW_BYTES = WIDTH * 4


class ManyFiles(Dataset[torch.Tensor]):
    """One item a file, through a driver that comes with the set: by fork as it is, by spawn as a pickle."""

    def __init__(self, driver: Driver, home: str) -> None:
        self.driver = driver
        self.paths = sorted(driver.ls(home, detail=False))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, number: int) -> torch.Tensor:
        return torch.frombuffer(bytearray(self.driver.cat_file(self.paths[number])), dtype=torch.float32)


class Rows(Dataset[torch.Tensor]):
    """Rows of one big file, each worker with a stream of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.file: Any = None

    def __len__(self) -> int:
        return ROWS

    def __getitem__(self, number: int) -> torch.Tensor:
        if self.file is None:
            self.file = fsspec.open(self.url, "rb").open()
        self.file.seek(number * ROW_BYTES)
        return torch.frombuffer(bytearray(self.file.read(ROW_BYTES)), dtype=torch.float32)


class Batches(Rows):
    """Rows of one big file, those of a batch at once."""

    def __getitems__(self, numbers: list[int]) -> list[torch.Tensor]:
        fs, path = fsspec.url_to_fs(self.url)
        starts = [number * ROW_BYTES for number in numbers]
        parts = fs.cat_ranges([path] * len(numbers), starts, [start + ROW_BYTES for start in starts])
        return [torch.frombuffer(bytearray(part), dtype=torch.float32) for part in parts]


class Stream(IterableDataset[torch.Tensor]):
    """A big file through the SDK, every worker its share of it."""

    def __init__(self, hub: str, path: str) -> None:
        self.hub = hub
        self.path = path

    def __iter__(self) -> Iterator[torch.Tensor]:
        worker = get_worker_info()
        share = ROWS // worker.num_workers
        credentials = lucidlink.ServiceAccountCredentials(os.environ["LUCIDLINK_TOKEN"])
        with lucidlink.create_daemon({"hub.url": self.hub}) as daemon:
            with daemon.authenticate(credentials).link_filespace(name="data") as filespace:
                with filespace.fs.open(self.path, "rb") as file:
                    file.seek(worker.id * share * ROW_BYTES)
                    for _ in range(share):
                        yield torch.frombuffer(bytearray(file.read(ROW_BYTES)), dtype=torch.float32)


class Inherited(Rows):
    """Rows of one big file, by a stream that the parent has open: for workers by fork."""

    def __init__(self, file: Any) -> None:
        self.file = file


def loaded(data: Dataset[torch.Tensor], method: str, **options: Any) -> torch.Tensor:
    options = {"batch_size": 100, "num_workers": 2, **options}
    return torch.cat(list(DataLoader(data, multiprocessing_context=method, **options)))


@pytest.fixture
def rows(driver: Driver, home: str) -> torch.Tensor:
    """What `home`/rows holds."""
    made = torch.from_numpy(np.random.default_rng(8).random((ROWS, WIDTH), np.float32))
    driver.pipe_file(f"{home}/rows", made.numpy().tobytes())
    return made


methods = pytest.mark.parametrize("method", ["fork", "spawn"])


@library("torch", "DataLoader, workers by fork and spawn: many files, by the driver of the parent")
@methods
def test_many_files(driver: Driver, home: str, method: str) -> None:
    made = torch.from_numpy(np.random.default_rng(7).random((FILES, 10_000), np.float32))
    driver.pipe({f"{home}/{number:03}": made[number].numpy().tobytes() for number in range(FILES)})
    data = ManyFiles(driver, home)
    for _ in range(2):  # two epochs: the workers of the second are new
        assert torch.equal(loaded(data, method, batch_size=16), made)
    assert torch.equal(data[FILES - 1], made[-1])


@library("torch", "DataLoader, workers by fork and spawn: rows of one big file in any order, by seeks and cat_ranges")
@methods
@pytest.mark.parametrize("kind", [Rows, Batches])
def test_ranges(url: str, rows: torch.Tensor, method: str, kind: type[Rows]) -> None:
    order = torch.randperm(ROWS).tolist()
    data = kind(f"{url}/rows")
    assert torch.equal(loaded(data, method, sampler=order), rows[order])
    assert torch.equal(loaded(data, method, persistent_workers=True), rows)


@library("torch", "DataLoader, workers by fork and spawn: shares of one big file, by streams of the SDK")
@methods
def test_stream(rows: torch.Tensor, folder: str, shared: Any, method: str) -> None:
    found = loaded(Stream(shared.hub.url, f"{folder}/rows"), method)
    in_turn = found.reshape(-1, 2, 100, WIDTH)  # a batch of the first worker, one of the second, and so on
    assert torch.equal(in_turn.transpose(0, 1).reshape(ROWS, WIDTH), rows)


@library("torch", "DataLoader, workers by fork: one big file, by a stream that the parent has open")
def test_inherited_stream(fs: FS, folder: str, rows: torch.Tensor) -> None:
    with fs.open(f"{folder}/rows", "rb") as file:
        assert file.read(ROW_BYTES) == rows[0].numpy().tobytes()
        data = Inherited(file)
        assert torch.equal(loaded(data, "fork"), rows)
        assert torch.equal(data[777], rows[777])


@library("torch", "save and load of models and optimizers, by streams of the SDK and by URL")
def test_models(fs: FS, folder: str, url: str) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(1000, 1000), torch.nn.ReLU(), torch.nn.Linear(1000, 500))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(4, 1000)).sum().backward()
    optimizer.step()
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}
    with fs.open(f"{folder}/a.pt", "wb") as file:
        torch.save(state, file)
    for opened in (fs.open(f"{folder}/a.pt", "rb"), fsspec.open(f"{url}/a.pt", "rb").open()):
        with opened as file:
            found = torch.load(file)
        assert found["epoch"] == 3
        assert all(torch.equal(found["model"][name], value) for name, value in state["model"].items())
        assert torch.equal(found["optimizer"]["state"][0]["exp_avg"], state["optimizer"]["state"][0]["exp_avg"])
    with fsspec.open(f"{url}/old.pt", "wb") as file:
        torch.save(model.state_dict(), file, _use_new_zipfile_serialization=False)
    with fsspec.open(f"{url}/old.pt", "rb") as file:
        model.load_state_dict(torch.load(file))
    exported = torch.export.export(model, (torch.ones(2, 1000),))
    with fs.open(f"{folder}/a.pt2", "wb") as file:
        torch.export.save(exported, file)
    with fs.open(f"{folder}/a.pt2", "rb") as file:
        again = torch.export.load(file).module()
    assert torch.equal(again(torch.ones(2, 1000)), model(torch.ones(2, 1000)))


@library("torch", "distributed.checkpoint through its writer and reader of fsspec")
def test_checkpoint(driver: Driver, home: str, url: str) -> None:
    made = {"weights": torch.rand(500, 1000), "more": torch.rand(2000), "epoch": 3}
    checkpoint.save(made, storage_writer=FsspecWriter(f"{url}/a"), no_dist=True)
    assert len(driver.ls(f"{home}/a")) >= 2
    found = {"weights": torch.zeros(500, 1000), "more": torch.zeros(2000), "epoch": 0}
    checkpoint.load(found, storage_reader=FsspecReader(f"{url}/a"), no_dist=True)
    assert torch.equal(found["weights"], made["weights"])
    assert torch.equal(found["more"], made["more"])
    assert found["epoch"] == 3
