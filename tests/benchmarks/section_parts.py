"""Parts of the kit against what bounds them."""

import itertools
import subprocess
import sys
from functools import partial

from harness import (
    Figure,
    Probe,
    Probes,
    Section,
    comparisons,
    pair_ratios,
    take_turns,
)

NETWORKS = {"nature": "Nature network", "dense": "dense 256-256"}


def fit(repeats: int, quick: bool) -> Section:
    """Measure `fit` against a bare loop over the same compiled step."""
    title = "`fit` against a bare compiled loop of the same step, batch 32"
    goals = {8: (">=", 0.95), 1: (">=", 0.9)}
    cases = {
        f"{network}{executions}": (network, executions)
        for network in (("dense",) if quick else NETWORKS)
        for executions in goals
    }
    probe = Probe(
        "parts_kit.py",
        {key: ("fit", {"network": n, "steps_per_execution": e})
         for key, (n, e) in cases.items()},
    )  # fmt: skip
    figures = []
    for key, (network, executions) in cases.items():
        steps = {"nature": 48, "dense": 1_200}[network] // (6 if quick else 1)
        times = take_turns(
            {
                name: partial(_seconds, probe, f"{key}.{name}", steps)
                for name in ("bare", "fit")
            },
            repeats,
        )
        where = f"{NETWORKS[network]}, {executions} per execution"
        for name, words in (("bare", "bare loop"), ("fit", "`fit`")):
            values = [1000 * value / steps for value in times[name]]
            figure = f"ms a gradient step, {words}, {where}"
            figures.append(Figure(figure, values, ".3f"))
        ratios = pair_ratios(times["bare"], times["fit"])
        figure = f"rate of `fit` / rate of the bare loop, {where}"
        figures.append(Figure(figure, ratios, ".3f", goals[executions]))
    probe.close()
    return Section(title, figures, versions=probe.report["versions"])


def products(repeats: int, quick: bool) -> Section:
    """Measure the products of a gradient step against the whole step."""
    section = Section(
        "what bounds a gradient step, Nature network, batch 32, TensorFlow",
        [],
        [
            "The products are the convolutions and matrix products of both "
            "networks' forward passes and of the backward pass, as "
            "TensorFlow computes them, in one compiled call; no activation, "
            "loss, optimizer or data."
        ],
    )
    probe = Probe(
        "parts_kit.py",
        {
            "alone": ("products", {}),
            "step": ("fit", {"network": "nature", "steps_per_execution": 8}),
        },
        backend="tensorflow",
    )
    section.versions |= probe.report["versions"]
    steps = 8 if quick else 48
    works = {"products alone": "alone.products", "bare loop": "step.bare"}
    times = take_turns(
        {
            name: partial(_seconds, probe, work, steps)
            for name, work in works.items()
        },
        repeats,
    )
    probe.close()
    for name, values in times.items():
        values = [1000 * value / steps for value in values]
        section.figures.append(
            Figure(f"ms a gradient step, {name}", values, ".2f")
        )
    section.figures += comparisons(times, "products alone", ("bare loop",))
    return section


def acting(repeats: int, quick: bool) -> Section:
    """Measure a policy's call against a bare compiled forward pass."""
    section = Section("choosing actions, microseconds a call", [])
    kit, bare, peer = "policy", "bare forward pass", "SB3 `predict`"
    tasks = {"nature": "nature", "dense": "cartpole"}
    calls = 100 if quick else 400
    parts = {name: ("acting", {"network": name}) for name in NETWORKS}
    makers = {kit: partial(Probe, "parts_kit.py", parts)}
    if not quick:
        makers |= {
            network: partial(
                Probe, "loop_sb3.py", {"task": task, "units": [256, 256]}, "sb3"
            )
            for network, task in tasks.items()
        }
    with Probes(makers) as probes:
        section.versions |= probes.versions
        section.notes += probes.notes
        for network, count in itertools.product(NETWORKS, (1, 8)):
            works = {
                bare: (kit, f"{network}.bare{count}"),
                kit: (kit, f"{network}.act{count}"),
            }
            if network in probes:
                works[peer] = (network, f"act{count}")
            seconds = take_turns(
                {
                    name: partial(_seconds, probes[where], work, calls)
                    for name, (where, work) in works.items()
                },
                repeats,
            )
            suffix = f", {NETWORKS[network]}, {count} at once"
            for name, values in seconds.items():
                values = [1e6 * value / calls for value in values]
                section.figures.append(Figure(name + suffix, values))
            goal = ("<=", 1.2)
            for figure in comparisons(seconds, kit, (bare, peer), goal):
                figure.name += suffix
                section.figures.append(figure)
    return section


def _seconds(probe: Probe, work: str, count: int) -> float:
    return probe.work(work, count)["seconds"]


def sampling(repeats: int, quick: bool) -> Section:
    """Measure sampling and adding against bare NumPy."""
    count = 100 if quick else 2_000
    capacity = 2_000 if quick else 20_000
    part = {"replay": ("sampling", {"capacity": capacity})}
    probe = Probe("parts_kit.py", part)
    names = [work.partition(".")[2] for work in probe.report["works"]]
    rates = take_turns(
        {name: partial(probe.rate, f"replay.{name}", count) for name in names},
        repeats,
    )
    probe.close()
    figures = [
        Figure("batches a second, bare NumPy gather", rates["gather"]),
        Figure("batches a second, `sample`", rates["sample"]),
        Figure(
            "ratio: `sample` / bare gather",
            pair_ratios(rates["sample"], rates["gather"]),
            ".2f",
            (">=", 0.8),
        ),
    ]
    if "dataset" in rates:
        figures.append(
            Figure(
                "batches a second, `dataset`, as tensors",
                rates["dataset"],
                target=(">=", 6_000),
            )
        )
    figures += [
        Figure("transitions stored a second, bare NumPy", rates["store"]),
        Figure("transitions added a second, `add`", rates["add"]),
        Figure(
            "bytes of a stored transition / bytes of a frame",
            [probe.report["bytes"] / 84**2],
            ".3f",
        ),
    ]
    return Section(
        "replay of Space Invaders, 84x84 in stacks of 4, batch 32",
        figures,
        [
            f"{capacity:,} transitions, eight environments' steps "
            "added together. The bare gather takes as many bytes, 32 windows "
            "of five frames, from random places; the bare store writes the "
            "newest frame of each environment."
        ],
        probe.report["versions"],
    )


def importing(repeats: int, quick: bool) -> Section:
    """Measure `import keras_rlkit` against `import keras`."""

    def seconds(package: str) -> float:
        program = (
            "import time; start = time.perf_counter(); "
            f"import {package}; print(time.perf_counter() - start)"
        )
        command = [sys.executable, "-c", program]
        output = subprocess.run(command, check=True, capture_output=True)
        return float(output.stdout.split()[-1])

    names = ("keras", "keras_rlkit")
    works = {name: lambda name=name: seconds(name) for name in names}
    take_turns(works, 1)
    times = take_turns(works, repeats)
    figures = [
        Figure(f"seconds, `import {name}`", values, ".2f")
        for name, values in times.items()
    ]
    ratios = pair_ratios(times["keras_rlkit"], times["keras"])
    figures.append(
        Figure("ratio: `import keras_rlkit` / `import keras`", ratios, ".3f")
    )
    return Section("importing, each in a fresh process", figures)
