"""Parts of the kit against what bounds them."""

import subprocess
import sys

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
    section = Section(
        "`fit` against a bare compiled loop of the same step, batch 32", []
    )
    goals = {8: 0.95, 1: 0.9}
    for network, title in NETWORKS.items():
        steps = {"nature": 48, "dense": 1_200}[network] // (4 if quick else 1)
        steps = -(-steps // 8) * 8
        for executions, goal in goals.items():
            settings = {
                "part": "fit",
                "network": network,
                "steps_per_execution": executions,
            }
            title_here = f"{title}, {executions} steps per execution"
            print(f"  {title_here}", flush=True)
            probe = Probe("parts_kit.py", settings)
            times = take_turns(
                {
                    name: lambda name=name: probe.work(name, steps)["seconds"]
                    for name in ("bare", "fit")
                },
                repeats,
            )
            probe.close()
            section.versions |= probe.report["versions"]
            for name, words in (("bare", "bare loop"), ("fit", "`fit`")):
                section.figures.append(
                    Figure(
                        f"ms a gradient step, {words}, {title_here}",
                        [1000 * value / steps for value in times[name]],
                        ",.3f",
                    )
                )
            section.figures.append(
                Figure(
                    f"rate of `fit` / rate of the bare loop, {title_here}",
                    pair_ratios(times["bare"], times["fit"]),
                    ".3f",
                    (">=", goal),
                )
            )
    return section


def acting(repeats: int, quick: bool) -> Section:
    """Measure a policy's call against a bare compiled forward pass."""
    section = Section("choosing actions, microseconds a call", [])
    kit, bare, peer = "policy", "bare forward pass", "SB3 `predict`"
    for network, title in NETWORKS.items():
        task = "nature" if network == "nature" else "cartpole"
        print(f"  {title}", flush=True)
        makers = {
            kit: lambda network=network: Probe(
                "parts_kit.py", {"part": "acting", "network": network}
            )
        }
        if not quick:
            makers[peer] = lambda task=task: Probe(
                "loop_sb3.py", {"task": task, "units": [256, 256]}, "sb3"
            )
        calls = 100 if quick else 400
        with Probes(makers) as probes:
            section.versions |= probes.versions
            section.notes += probes.notes
            for count in (1, 8):

                def latency(probe, name):
                    answer = probes[probe].work(name, calls)
                    return 1e6 * answer["seconds"] / calls

                works = {
                    bare: lambda count=count: latency(kit, f"bare{count}"),
                    kit: lambda count=count: latency(kit, f"act{count}"),
                }
                if peer in probes:
                    works[peer] = lambda count=count: latency(
                        peer, f"act{count}"
                    )
                times = take_turns(works, repeats)
                where = f"{title}, {count} observation{'s' * (count > 1)}"
                for name, values in times.items():
                    section.figures.append(Figure(f"{name}, {where}", values))
                for figure in comparisons(
                    times, kit, (bare, peer), ("<=", 1.2)
                ):
                    figure.name += f", {where}"
                    section.figures.append(figure)
    return section


def sampling(repeats: int, quick: bool) -> Section:
    """Measure sampling and adding against bare NumPy."""
    count = 200 if quick else 2_000
    settings = {"part": "sampling", "capacity": 5_000 if quick else 20_000}
    probe = Probe("parts_kit.py", settings)
    names = ("gather", "sample", "store", "add", "dataset")
    works = {name: lambda name=name: probe.rate(name, count) for name in names}
    on_tensorflow = "dataset" in probe.report["works"]
    if not on_tensorflow:
        del works["dataset"]
    rates = take_turns(works, repeats)
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
    if on_tensorflow:
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
            f"{settings['capacity']:,} transitions, eight environments' steps "
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
