"""Figures of the measurement on a GPU: printed, as CSV and as Markdown."""

import csv
import pathlib
import time
from collections.abc import Callable

from harness import summary

# Six digits tell thousands whole.
FORM = ",.6g"


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
                middle, _ = summary(values, FORM)
                self.say(f"{figure}, {setting}: {middle} {unit}")

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
            middle, spread = summary(values, FORM)
            spread = f"{spread}, n = {len(values)}"
            lines.append(f"| {' | '.join((*key, middle, spread))} |")
        lines += [part for note in self.notes for part in ("", note)]
        (folder / "gpu.md").write_text("\n".join(lines) + "\n")


def seconds_of(work: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
