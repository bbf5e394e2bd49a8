"""Measure Space Invaders on a GPU, beside Stable-Baselines3, in one run.

    KERAS_BACKEND=jax python tests/benchmarks/gpu.py [--quick] [--out FOLDER]

Runs on the JAX backend, on whatever device JAX finds; without a GPU it says so
and measures the same on the CPU. Four parts:

1. the gradient step: `fit` against two bare loops over batches that are on the
   device already, one of a jitted step written by hand, one of the agent's own;
2. the whole loop: environment steps per second with one gradient step of 32
   for each 4 environment steps, against Stable-Baselines3's DQN, and where
   the time goes;
3. memory over ten agents built, trained and deleted in one process;
4. how long a policy takes to choose actions.

What is compared is measured in turn (A B A B ...), so that a machine whose
speed drifts hits all; a ratio is the median over the rounds. The peer lives in
a process of its own; `--sb3_python` is its interpreter, which needs
stable-baselines3, ale-py and opencv-python-headless. `--sb3_python install`
makes one in `runs/benchmarks/`. Each program compiles once, into a folder that
is deleted afterwards. FOLDER then holds `gpu.csv`, a row for each measurement,
and `gpu.md`, the medians. Nothing else should run meanwhile.
"""

import argparse
import importlib.metadata
import os
import pathlib
import platform
import sys
import tempfile
from collections.abc import Callable

import harness
from gpu_figures import Figures
from gpu_gradient_step import gradient_step
from gpu_loop import acting, memory, whole_loop
from gpu_settings import (
    AGENTS,
    EXECUTIONS,
    NUM_ENVS,
    PEER_NUM_ENVS,
    QUICK_AGENTS,
    QUICK_EXECUTIONS,
    QUICK_NUM_ENVS,
    QUICK_WARMUP,
    WARMUP,
)

# Else JAX takes most of the device's memory at once, and tells nothing.
os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawTextHelpFormatter
)
parser.add_argument("--quick", action="store_true")
parser.add_argument("--repeats", type=int, help="rounds of parts 1, 2 and 4")
parser.add_argument("--out", type=pathlib.Path)
parser.add_argument("--sb3_python", default=sys.executable)


def machine() -> str:
    """Return what the machine is called: device, processor, cores."""
    import jax

    device = jax.local_devices()[0]
    return (
        f"{device.device_kind} ({device.platform}), {harness.machine()}, "
        f"Python {platform.python_version()}"
    )


def head_of(about: str, peers: harness.Probes) -> list[str]:
    """Return the page's first lines."""
    names = ("keras", "jax", "numpy", "ale-py", "gymnasium")
    known = {name: importlib.metadata.version(name) for name in names}
    known |= peers.versions
    used = ", ".join(f"{name} {number}" for name, number in known.items())
    devices = {peers[name].report["device"] for name in peers.names}
    return [
        "# Space Invaders on a GPU",
        "",
        f"{harness.today()}, {about}; {used}; Stable-Baselines3 on "
        f"{', '.join(devices) or 'nothing'}.",
        "",
        f"    KERAS_BACKEND=jax {' '.join(['python', *sys.argv])}",
    ]


def start_peers(interpreter: str, quick: bool) -> harness.Probes:
    """Start the peers, by the number of their environments."""
    peer = {"python": interpreter}
    if interpreter == "install":
        peer = {"peer": "sb3"}
    warmup = QUICK_WARMUP if quick else WARMUP

    def maker(num_envs: int) -> Callable[[], harness.Probe]:
        settings = {"num_envs": num_envs, "warmup": warmup}
        return lambda: harness.Probe("gpu_peer.py", settings, **peer)

    return harness.Probes({count: maker(count) for count in PEER_NUM_ENVS})


def main() -> None:
    options = parser.parse_args()
    quick = options.quick
    repeats = options.repeats or (2 if quick else 5)
    figures = Figures()
    import jax
    import keras

    if keras.backend.backend() != "jax":
        parser.error("this needs the JAX backend: set KERAS_BACKEND=jax")
    peers = start_peers(options.sb3_python, quick)
    figures.notes += peers.notes
    about = machine()
    figures.say(about)
    if jax.local_devices()[0].platform == "cpu":
        figures.notes.append("No GPU was found: all of this is on the CPU.")
        figures.say(figures.notes[-1])

    def save() -> None:
        """Write what is known so far, should the run be ended."""
        if options.out:
            figures.write(options.out, head_of(about, peers))

    with tempfile.TemporaryDirectory() as folder:
        # Agents alike share one program, as those of two runs would.
        jax.config.update("jax_compilation_cache_dir", folder)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
        with peers:
            whole_loop(
                figures,
                peers,
                repeats,
                16 if quick else 384,
                QUICK_NUM_ENVS if quick else NUM_ENVS,
            )
            save()
            acting(figures, peers, repeats, 10 if quick else 200)
            save()
        gradient_step(
            figures,
            repeats,
            8 if quick else 384,
            QUICK_EXECUTIONS if quick else EXECUTIONS,
        )
        save()
        memory(figures, 8 if quick else 32, QUICK_AGENTS if quick else AGENTS)
        save()
    figures.say("done")


if __name__ == "__main__":
    main()
