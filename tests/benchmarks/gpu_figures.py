"""Figures of the measurement on a GPU: printed, as CSV and as Markdown."""

import csv
import pathlib
import statistics
import time
from collections.abc import Callable


class Figures:
    """What was measured: rows of figure, setting, unit and values."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str, str], list[float]] = {}
        self.notes: list[str] = []
        self._begin = time.perf_counter()

    def add(self, figure: str, setting: str, unit: str, value: float) -> None:
        """Add one measurement."""
        self.values.setdefault((figure, setting, unit), []).append(value)

    def say(self, text: str) -> None:
        """Print where we are."""
        seconds = time.perf_counter() - self._begin
        print(f"[{seconds:5.0f} s] {text}", flush=True)

    def show(self, *figures: str) -> None:
        """Print the medians of some figures."""
        for (figure, setting, unit), values in self.values.items():
            if figure in figures:
                self.say(f"{figure}, {setting}: {median(values)} {unit}")

    def write(self, folder: pathlib.Path, head: list[str]) -> None:
        """Write all measurements as CSV, their medians as Markdown."""
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "gpu.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["figure", "setting", "unit", "round", "value"])
            for key, values in self.values.items():
                for number, value in enumerate(values):
                    writer.writerow([*key, number, repr(value)])
        lines = [
            *head,
            "",
            "| figure | setting | unit | median | range |",
            "|---|---|---|---|---|",
        ]
        for key, values in self.values.items():
            low, high = form(min(values)), form(max(values))
            spread = f"{low} to {high}, n = {len(values)}"
            lines.append(f"| {' | '.join((*key, median(values), spread))} |")
        lines += [part for note in self.notes for part in ("", note)]
        (folder / "gpu.md").write_text("\n".join(lines) + "\n")


def form(value: float) -> str:
    """Return a number in four digits or whole."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def median(values: list[float]) -> str:
    """Return the median of some numbers as text."""
    return form(statistics.median(values))


def seconds_of(work: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
