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
import datetime
import json
import pathlib
import statistics
import subprocess
import tempfile

import numpy as np
from peer_environments import python_of

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


class Probe:
    """A buffer that lives in another process."""

    def __init__(self, peer, kind, frames, capacity):
        probe = pathlib.Path(__file__).with_name("replay_probe.py")
        self.process = subprocess.Popen(
            [python_of(peer), probe, kind, frames, "--capacity", str(capacity)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.report = self._answer()
        self.rates = {"sample": [], "update": []}

    def measure(self, what: str, count: int) -> None:
        """Note how many batches a second the process reaches."""
        self.process.stdin.write(f"{what} {count}\n")
        self.process.stdin.flush()
        self.rates[what].append(count / self._answer())

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            error = self.process.stderr.read().strip().splitlines()
            raise RuntimeError(error[-1] if error else "no answer")
        return json.loads(line)


def form(values: list[float]) -> str:
    """Return the median and the range of some values."""
    if not values:
        return "-"
    low, high = min(values), max(values)
    return f"{statistics.median(values):,.0f} ({low:,.0f} to {high:,.0f})"


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
    probes, failed = {}, []
    with tempfile.TemporaryDirectory() as folder:
        frames = pathlib.Path(folder, "frames.npz")
        record(frames, 2_000 if options.quick else 20_000)
        for name, (peer, kind) in BUFFERS.items():
            try:
                probes[name] = Probe(peer, kind, frames, capacity)
            except RuntimeError as error:
                failed.append(f"{name} doesn't run: `{error}`")
            print(name, "filled" if name in probes else "failed", flush=True)
        for _ in range(repeats):
            for probe in probes.values():
                probe.measure("sample", count)
                if probe.report["updates"]:
                    probe.measure("update", count)
        for probe in probes.values():
            probe.process.kill()
    lines = [
        "| buffer | batches per second | with update of priorities |"
        " microseconds per add | bytes per transition |",
        "|---|---|---|---|---|",
    ]
    for name, probe in probes.items():
        cells = [
            name,
            form(probe.rates["sample"]),
            form(probe.rates["update"]),
            form(probe.report["add"]),
            f"{probe.report['bytes']:,.0f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    versions = {}
    for probe in probes.values():
        versions |= probe.report["versions"]
    lines += ["", *failed, ""] if failed else [""]
    lines += [
        f"{datetime.date.today()}, {capacity:,} transitions, medians and "
        f"ranges of {repeats} rounds; "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
        + "."
    ]
    print(*lines, sep="\n")
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
