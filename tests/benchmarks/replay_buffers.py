"""Measure the replay buffer beside those of other libraries, in one run.

    python tests/benchmarks/replay_buffers.py [--quick] [--out FILE.md]

Each buffer is filled with recorded Space Invaders frames, 84x84 in stacks of
4, in a process of its own and in an environment of its own, which is installed
into `runs/benchmarks/` at the first run. Then all are sampled in turn
(A B C A B C ...), batches of 32, so that a machine whose speed drifts hits all
of them. Bytes are the growth of the process' own memory over the filling. Needs
13 GB of memory with 100,000 transitions; nothing else should run meanwhile.
"""

import argparse
import functools
import pathlib
import tempfile

import numpy as np
from harness import Probe, Probes, cell, machine, take_turns, today

# name: interpreter's environment, kind of buffer.
BUFFERS = {
    "bare NumPy gather": (None, "gather"),
    "keras_rlkit": (None, "kit"),
    "keras_rlkit, contiguous batches": (None, "kit:contiguous"),
    'keras_rlkit, `storage="compressed"`': (None, "kit:compressed"),
    'keras_rlkit, `storage="disk"`': (None, "kit:disk"),
    "keras_rlkit, `Prioritized`": (None, "kit:prioritized"),
    "Stable-Baselines3": ("sb3", "sb3"),
    "cpprb": ("cpprb", "cpprb"),
    "cpprb, prioritized": ("cpprb", "cpprb:prioritized"),
    "Tianshou": ("tianshou", "tianshou"),
    "Tianshou, prioritized": ("tianshou", "tianshou:prioritized"),
    "torchrl": ("torchrl", "torchrl"),
    "torchrl, prioritized": ("torchrl", "torchrl:prioritized"),
}


def record(path: pathlib.Path, count: int) -> None:
    """Write the newest frames of `count` steps of random play."""
    import keras_rlkit as rlk

    environment = rlk.environments.as_vector(
        rlk.environments.atari("space_invaders", num_envs=1, seed=0)
    )
    random = np.random.default_rng(0)
    environment.reset(seed=0)
    frames = np.empty((count, 84, 84), np.uint8)
    ends = np.zeros(count, bool)
    for row in range(count):
        step = environment.step(random.integers(6, size=1))
        frames[row] = step.next_observation[0, ..., -1]
        ends[row] = step.terminated[0] | step.truncated[0]
    np.savez(path, frames=frames, ends=ends)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--capacity", type=int)
    parser.add_argument("--out", type=pathlib.Path)
    options = parser.parse_args()
    repeats = options.repeats or (2 if options.quick else 7)
    capacity = options.capacity or (5_000 if options.quick else 100_000)
    count = 50 if options.quick else 300
    with tempfile.TemporaryDirectory() as folder:
        frames = pathlib.Path(folder, "frames.npz")
        record(frames, 2_000 if options.quick else 20_000)
        settings = {"frames": str(frames), "capacity": capacity}
        makers = {
            name: functools.partial(
                Probe, "replay_probe.py", {**settings, "kind": kind}, peer
            )
            for name, (peer, kind) in BUFFERS.items()
        }
        with Probes(makers) as probes:
            works = {
                (name, work): functools.partial(probes[name].rate, work, count)
                for name in probes.names
                for work in probes[name].report["works"]
            }
            rates = take_turns(works, repeats)
            reports = {name: probes[name].report for name in probes.names}
            failed, versions = probes.notes, probes.versions
    lines = [
        "| buffer | batches per second | with update of priorities |"
        " microseconds per add | bytes per transition |",
        "|---|---|---|---|---|",
    ]
    for name, report in reports.items():
        cells = [
            name,
            cell(rates[name, "sample"]),
            cell(rates.get((name, "update"), [])),
            cell(report["add"]),
            f"{report['bytes']:,.0f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", *failed, ""] if failed else [""]
    lines += [
        f"{today()}, {machine()}, {capacity:,} transitions, medians and ranges "
        f"of {repeats} rounds; "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + "."
    ]
    print(*lines, sep="\n")
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
