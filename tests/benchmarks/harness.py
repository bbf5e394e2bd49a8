"""What all benchmarks share: processes that take turns, figures, the table."""

import dataclasses
import datetime
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterable

from peer_environments import python_of

HERE = pathlib.Path(__file__).parent
BEGIN, END = "<!-- figures -->", "<!-- end of figures -->"


@dataclasses.dataclass
class Figure:
    """A row of the table: what was measured, once a repeat.

    Args:
        name: What it is, with its unit.
        values: One for each repeat.
        form: Format of a value.
        target: `(">=", number)` or `("<=", number)` for the median, or `None`.
    """

    name: str
    values: list[float]
    form: str = ",.0f"
    target: tuple[str, float] | None = None

    def row(self) -> str:
        """Return the row of the table."""
        middle, spread = summary(self.values, self.form)
        spread += f", n = {len(self.values)}"
        cells = (self.name, middle, spread, verdict(self.target, self.values))
        return "| " + " | ".join(cells) + " |"


@dataclasses.dataclass
class Section:
    """Figures that were measured together.

    Args:
        title: What they are about.
        figures: Rows of the table.
        notes: Sentences about how it was measured, or what was not.
        versions: Packages that took part.
        date: Day of the measurement.
        machine: Processor and number of cores.
    """

    title: str
    figures: list[Figure]
    notes: list[str] = dataclasses.field(default_factory=list)
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    date: str = ""
    machine: str = ""


class Probe:
    """Something measured in a process, and an environment, of its own.

    Args:
        script: Name of a program beside this one that calls `serve`.
        settings: What the program is told.
        peer: Environment, a key of `peer_environments.PACKAGES`, or `None`
            for that of this interpreter.
        backend: Keras' backend there; by default that of this process.
        python: Interpreter to use instead of the peer's.
    """

    def __init__(
        self,
        script: str,
        settings: dict,
        peer: str | None = None,
        backend: str | None = None,
        python: str | None = None,
    ):
        environment = dict(os.environ, PYTHONWARNINGS="ignore")
        environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        if backend:
            environment["KERAS_BACKEND"] = backend
        # A pipe would fill up and stop the process.
        self._errors = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            [
                python or python_of(peer),
                str(HERE / script),
                json.dumps(settings),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
        )
        self.report = self._answer()

    def work(self, name: str, count: int) -> dict:
        """Return how long some work took, and how much was done."""
        self._process.stdin.write(f"{name} {count}\n")
        self._process.stdin.flush()
        return self._answer()

    def rate(self, name: str, count: int) -> float:
        """Return how much is done a second."""
        answer = self.work(name, count)
        return answer["done"] / answer["seconds"]

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._errors.close()

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        # JAX and Keras say more after the error itself.
        named = [line for line in lines if re.match(r"[\w.]*Error\b", line)]
        raise RuntimeError((named or lines or ["no answer"])[-1])


class Probes:
    """Processes that are measured in turn; what fails to start is noted.

    Args:
        makers: Functions that make a `Probe`, by the names of the table.
    """

    def __init__(self, makers: dict[str, Callable[[], Probe]]):
        self._probes, self.notes = {}, []
        for name, make in makers.items():
            try:
                self._probes[name] = make()
            except (RuntimeError, subprocess.CalledProcessError) as error:
                self.notes.append(f"{name} doesn't run: `{error}`.")
            state = "ready" if name in self._probes else "failed"
            print(f"  {name}: {state}", flush=True)

    def __enter__(self) -> "Probes":
        return self

    def __exit__(self, *exception: object) -> None:
        for probe in self._probes.values():
            probe.close()

    def __getitem__(self, name: str) -> Probe:
        return self._probes[name]

    def __contains__(self, name: str) -> bool:
        return name in self._probes

    @property
    def names(self) -> list[str]:
        """Of those that run."""
        return list(self._probes)

    @property
    def versions(self) -> dict[str, str]:
        """Packages that take part."""
        reports = (probe.report for probe in self._probes.values())
        return {
            k: v for report in reports for k, v in report["versions"].items()
        }

    def rates(self, name: str, count: int, repeats: int) -> dict[str, list]:
        """Return how much each does a second, measured in turn."""
        return take_turns(
            {
                key: lambda probe=probe: probe.rate(name, count)
                for key, probe in self._probes.items()
            },
            repeats,
        )


def take_turns(
    works: dict[str, Callable[[], float]], repeats: int
) -> dict[str, list[float]]:
    """Call each, then each again (A B A B ...), and gather what they return.

    A machine whose speed drifts then hits all of them.
    """
    values: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            values[name].append(work())
    return values


def pair_ratios(first: list[float], second: list[float]) -> list[float]:
    """Return the ratio of each pair that was measured one after the other."""
    return [a / b for a, b in zip(first, second, strict=True)]


def comparisons(
    rates: dict[str, list[float]],
    ours: str,
    others: Iterable[str],
    target: tuple[str, float] | None = None,
    form: str = ".2f",
) -> list[Figure]:
    """Return the ratio of one's values to those of each of some others.

    Args:
        rates: Values by name, measured in turn.
        ours: Name of what is divided.
        others: Names of what it is divided by; what is missing is left out.
        target: Of the first of them.
        form: Format of the ratio.
    """
    figures = []
    for position, other in enumerate(others):
        if ours in rates and other in rates:
            ratios = pair_ratios(rates[ours], rates[other])
            goal = target if position == 0 else None
            name = f"ratio: {ours} / {other}"
            figures.append(Figure(name, ratios, form, goal))
    return figures


def summary(values: list[float], form: str = ",.0f") -> tuple[str, str]:
    """Return the median of some values, and their range."""
    low, high = (format(function(values), form) for function in (min, max))
    return format(statistics.median(values), form), f"{low} to {high}"


def cell(values: list[float], form: str = ",.0f") -> str:
    """Return the median and the range of some values, `-` for none."""
    if not values:
        return "-"
    middle, spread = summary(values, form)
    return f"{middle} ({spread})"


def verdict(target: tuple[str, float] | None, values: list[float]) -> str:
    """Return a target, and whether the median of some values meets it."""
    if target is None:
        return ""
    sign, goal = target
    middle = statistics.median(values)
    shown = f"{sign} {goal:,g}"
    if middle >= goal if sign == ">=" else middle <= goal:
        return f"{shown}: met"
    return f"{shown}: missed by {abs(middle / goal - 1):.1%}"


def table(sections: Iterable[Section]) -> list[str]:
    """Return one table of all figures, a title above those of a section."""
    lines = ["| figure | median | range | target |", "|---|---|---|---|"]
    for section in sections:
        lines.append(f"| **{section.title}** | | | |")
        lines += [figure.row() for figure in section.figures]
    return lines


def block(sections: list[Section], command: str) -> str:
    """Return the part of a page that is measured: settings, table, notes."""
    lines = [BEGIN, "", f"    {command}", ""]
    conditions: dict[str, list[str]] = {}
    for section in sections:
        condition = f"{section.date}, {section.machine}"
        conditions.setdefault(condition, []).append(section.title)
    for condition, titles in conditions.items():
        of = "" if len(conditions) == 1 else f" ({'; '.join(titles)})"
        lines.append(f"{condition}{of}.")
    versions = {k: v for s in sections for k, v in s.versions.items()}
    named = ", ".join(f"{name} {version}" for name, version in versions.items())
    lines += [f"Python {platform.python_version()}, {named}.", ""]
    lines += [*table(sections), ""]
    for section in sections:
        if section.notes:
            lines += [f"**{section.title}.** {' '.join(section.notes)}", ""]
    return "\n".join([*lines, END])


def put_block(page: str, text: str) -> str:
    """Return a page with its measured part replaced, or added at its end."""
    before, begin, rest = page.partition(BEGIN)
    if not begin:
        return f"{page.rstrip()}\n\n{text}\n" if page.strip() else f"{text}\n"
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError(f"The page has `{BEGIN}` without `{END}`.")
    return f"{before}{text}{after}"


def to_json(sections: dict[str, Section]) -> str:
    """Return every value of every repeat, for `from_json`."""
    raw = {key: dataclasses.asdict(value) for key, value in sections.items()}
    return json.dumps(raw, indent=1) + "\n"


def from_json(text: str) -> dict[str, Section]:
    """Return sections that `to_json` wrote."""
    sections = {}
    for key, raw in json.loads(text).items():
        figures = [
            Figure(
                **{
                    **figure,
                    "target": figure["target"] and tuple(figure["target"]),
                }
            )
            for figure in raw.pop("figures")
        ]
        sections[key] = Section(figures=figures, **raw)
    return sections


def write(
    path: pathlib.Path,
    new: dict[str, Section],
    command: str,
    order: tuple[str, ...] = (),
) -> None:
    """Write a page, and its values beside; sections not measured now stay.

    Args:
        path: The page. Values go to `figures.json` in a folder of its name.
        new: Sections by their keys.
        command: What was typed.
        order: Keys in the order of the page; others come before.
    """
    raw = path.with_suffix("") / "figures.json"
    sections = from_json(raw.read_text()) if raw.exists() else {}
    sections |= new
    places = {key: place for place, key in enumerate(order)}
    keys = sorted(sections, key=lambda key: places.get(key, -1))
    sections = {key: sections[key] for key in keys}
    raw.parent.mkdir(parents=True, exist_ok=True)
    raw.write_text(to_json(sections))
    page = path.read_text() if path.exists() else "# Speed\n"
    path.write_text(put_block(page, block(list(sections.values()), command)))


def machine() -> str:
    """Return what the machine calls its processor, and the core count."""
    info = pathlib.Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [
        line.split(":", 1)[1].strip()
        for line in lines
        if line.startswith("model name")
    ]
    name = models[0] if models else platform.processor() or platform.machine()
    return f"{name}, {len(os.sched_getaffinity(0))} cores"


def has_bfloat16() -> bool:
    """Return whether the processor computes in bfloat16."""
    info = pathlib.Path("/proc/cpuinfo")
    flags = info.read_text().split() if info.exists() else []
    return "avx512_bf16" in flags or "amx_bf16" in flags


def today() -> str:
    """Return the date."""
    return str(datetime.date.today())
