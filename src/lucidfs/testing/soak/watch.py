"""Samples of processes and of a hub's folder over time, and whether they grow. Reads /proc: Linux only."""

from __future__ import annotations

import os
import statistics
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

from lucidfs.limits import MIB

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_SLACK = {"MiB": 16.0, "files": 3.0, "threads": 1.0}  # what comes and goes with the moment
_GROWTH_MAX = 0.05  # of the median, over the time that is judged
_BARS = "▁▂▃▄▅▆▇█"


class Series(NamedTuple):
    """One measured value over time.

    Attributes:
        name: whose and what.
        unit: MiB, files or threads.
        values: one for each sample, at equal distances.
    """

    name: str
    unit: str
    values: list[float]

    def growth(self) -> float:
        """How much it grows over the last two thirds: the median slope between samples (Theil-Sen), in its unit."""
        late = self.values[len(self.values) // 3 :]
        step = max(1, len(late) // 60)  # 1,770 pairs say as much as a million
        points = list(enumerate(late))[::step]
        slopes = [(b - a) / (j - i) for (i, a), (j, b) in combinations(points, 2)]
        return statistics.median(slopes) * len(late) if slopes else 0.0

    @property
    def flat(self) -> bool:
        """Whether that is within the noise."""
        late = self.values[len(self.values) // 3 :]
        return self.growth() <= _SLACK[self.unit] + _GROWTH_MAX * statistics.median(late)

    def bars(self, width: int = 40) -> str:
        """The curve as a line of text, from zero."""
        top = max(self.values) or 1.0
        picked = [self.values[at * len(self.values) // width] for at in range(min(width, len(self.values)))]
        return "".join(_BARS[min(7, int(value / top * 7.999))] for value in picked)


class Watch:
    """Collects samples.

    Args:
        processes: name → process id, of those that are watched.
        data: the hub's folder.
    """

    def __init__(self, processes: dict[str, int], data: Path) -> None:
        self._processes = processes
        self._data = data
        self.series: dict[str, Series] = {}

    def sample(self) -> None:
        """Take one of everything."""
        for name, pid in self._processes.items():
            self._add(name, "MiB", _resident_bytes(pid) / MIB)
            self._add(name, "files", len(os.listdir(f"/proc/{pid}/fd")))
            self._add(name, "threads", len(os.listdir(f"/proc/{pid}/task")))
        for path in (*self._data.glob("*.sqlite"), *self._data.glob("*.sqlite-wal")):
            self._add(f"the hub's {path.name}", "MiB", path.stat().st_size / MIB)

    def _add(self, name: str, unit: str, value: float) -> None:
        self.series.setdefault(f"{name} {unit}", Series(name, unit, [])).values.append(value)

    def judged(self) -> list[Series]:
        """What must not grow: the processes, not the data."""
        return [one for one in self.series.values() if one.name in self._processes]

    def table(self) -> str:
        """All curves, as Markdown."""
        lines = ["| what | unit | start | median | most | end | growth in the last two thirds | curve |"]
        lines.append("|---|---|--:|--:|--:|--:|--:|---|")
        for one in self.series.values():
            values = one.values
            cells = (values[0], statistics.median(values), max(values), values[-1], one.growth())
            numbers = " | ".join(f"{cell:,.1f}" for cell in cells)
            lines.append(f"| {one.name} | {one.unit} | {numbers} | {one.bars()} |")
        return "\n".join(lines)


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
