"""Measure the whole Space Invaders loop and its parts, in one run.

    python tests/benchmarks/space_invaders_loop.py [--quick] [--out FILE.md]

What is compared is measured in turn (A B A B ...), so that a machine whose
speed drifts hits both; a ratio is the median over the pairs. Nothing else
should run meanwhile. About four minutes on two cores, one with `--quick`.
"""

import argparse
import datetime
import functools
import importlib.metadata
import pathlib
import platform
import statistics
import time
from collections.abc import Callable

import keras
import numpy as np

import keras_rlkit as rlk

BATCH, STACK, FRAME = 32, 4, (84, 84)
parser = argparse.ArgumentParser()
parser.add_argument("--quick", action="store_true")
parser.add_argument("--repeats", type=int)
parser.add_argument("--out", type=pathlib.Path)
options = parser.parse_args()
repeats = options.repeats or (2 if options.quick else 5)
steps = 160 if options.quick else 480
on_tensorflow = keras.backend.backend() == "tensorflow"
rows: list[tuple[str, str, str]] = []


def note(figure: str, values: list[float], form: str = ",.0f") -> None:
    """Add the median of some values, and their range, to the table."""
    middle = format(statistics.median(values), form)
    low, high = (format(f(values), form) for f in (min, max))
    rows.append((figure, middle, f"{low} to {high}, n = {len(values)}"))
    print(f"{figure}: {middle} ({low} to {high})", flush=True)


def seconds(work: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def nature_agent(steps_per_execution: int) -> rlk.models.DoubleDQN:
    """Return a compiled agent with the network of Mnih et al. 2015."""
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((*FRAME, STACK), dtype="uint8"),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 8, strides=4, activation="relu"),
            layers.Conv2D(64, 4, strides=2, activation="relu"),
            layers.Conv2D(64, 3, strides=1, activation="relu"),
            layers.Flatten(),
            layers.Dense(512, activation="relu"),
            layers.Dense(6),
        ]
    )
    agent = rlk.models.DoubleDQN(network, target_update_period=2_000)
    agent.compile(
        optimizer=keras.optimizers.Adam(1e-4),
        loss=keras.losses.Huber(),
        steps_per_execution=steps_per_execution,
    )
    return agent


def batches_of(replay: rlk.replay.ReplayBuffer) -> object:
    """Return the backend's own data set over a buffer."""
    return (replay.dataset if on_tensorflow else replay.batches)(BATCH)


def filled(num_envs: int) -> tuple:
    """Return environment, buffer and collector, the buffer warmed up."""
    environment = rlk.environments.atari("space_invaders", num_envs, seed=0)
    replay = rlk.replay.ReplayBuffer.for_environment(
        environment, capacity=20_000, frame_stack=STACK, seed=0
    )
    collect = rlk.callbacks.CollectSteps(
        environment,
        replay,
        rlk.policies.EpsilonGreedy(0.1, seed=0),
        steps_per_update=4,
        warmup_steps=2_000,
        reward_range=(-1, 1),
        seed=0,
    )
    return replay, collect


def timed(function: Callable, clock: dict, name: str) -> Callable:
    """Return a function that adds the time it takes to a clock."""

    @functools.wraps(function)
    def wrapper(*arguments, **keywords):
        start = time.perf_counter()
        try:
            return function(*arguments, **keywords)
        finally:
            clock[name] = clock.get(name, 0) + time.perf_counter() - start

    return wrapper


def whole_loop(num_envs: int, steps_per_execution: int) -> None:
    """Measure environment steps per second of `fit`, and where time goes."""
    replay, collect = filled(num_envs)
    agent = nature_agent(steps_per_execution)
    clock: dict[str, float] = {}
    epsilon_greedy = collect.policy
    act = timed(epsilon_greedy.__call__, clock, "acting")
    collect.policy = act
    collect.environment.step = timed(
        collect.environment.step, clock, "environment"
    )
    replay.add = timed(replay.add, clock, "storing")
    replay._draw = timed(replay._draw, clock, "sampling")
    rates, shares = [], []

    def fit() -> None:
        agent.fit(
            batches_of(replay),
            steps_per_epoch=steps,
            callbacks=[collect],
            shuffle=False,
            verbose=0,
        )

    fit()
    for _ in range(repeats):
        clock.clear()
        before = collect.environment_steps
        total = seconds(fit)
        rates.append((collect.environment_steps - before) / total)
        shares.append({name: value / total for name, value in clock.items()})
    setting = f"{num_envs} environments, {steps_per_execution} steps/execution"
    note(f"environment steps per second of `fit`, {setting}", rates)
    for name in ("environment", "acting", "storing", "sampling"):
        suffix = " (beside training)" if name == "sampling" else ""
        note(
            f"share of time {name}{suffix}, {setting}",
            [100 * share[name] for share in shares],
            ".1f",
        )
    note(
        f"share of time training, {setting}",
        [
            100 * (1 - sum(s[n] for n in ("environment", "acting", "storing")))
            for s in shares
        ],
        ".1f",
    )


def fit_against_bare_loop(steps_per_execution: int) -> None:
    """Measure `fit` against calling its compiled step in a plain loop."""
    replay, collect = filled(8)
    agent = nature_agent(steps_per_execution)
    collect.set_model(agent)
    collect.on_train_begin()
    batches = batches_of(replay)
    agent.fit(batches, steps_per_epoch=32, shuffle=False, verbose=0)
    calls = steps // steps_per_execution

    def bare_loop() -> None:
        if on_tensorflow:
            iterator = iter(batches)
            for _ in range(calls):
                logs = agent.train_function(iterator)
            float(logs["loss"])
            return
        iterator = (batches[i] for i in range(10**9))
        state = agent._get_jax_state(
            trainable_variables=True,
            non_trainable_variables=True,
            optimizer_variables=True,
            metrics_variables=True,
        )
        for _ in range(calls):
            logs, state = agent.train_function(state, iterator)
        float(logs["loss"])
        parts = ("trainable", "non_trainable", "optimizer", "metrics")
        agent._jax_state = {
            f"{part}_variables": variables
            for part, variables in zip(parts, state, strict=True)
        }
        agent._jax_state_synced = False
        agent.jax_state_sync()

    def fit() -> None:
        agent.fit(batches, steps_per_epoch=steps, shuffle=False, verbose=0)

    pairs = [(seconds(bare_loop), seconds(fit)) for _ in range(repeats)]
    setting = f"{steps_per_execution} steps/execution"
    note(
        f"gradient step in a bare compiled loop, ms, {setting}",
        [1000 * bare / steps for bare, _ in pairs],
        ".2f",
    )
    note(
        f"rate of `fit` / rate of the bare compiled loop, {setting}",
        [bare / fit for bare, fit in pairs],
        ".3f",
    )


def sampling_against_gather() -> None:
    """Measure sampled batches against gathering as many bytes in NumPy."""
    replay, collect = filled(8)
    collect.warmup_steps = replay.capacity
    collect.set_model(nature_agent(1))
    collect.on_train_begin()
    generator = np.random.default_rng(0)
    frames = np.zeros((replay.capacity, *FRAME), np.uint8)
    frames[:] = generator.integers(0, 255, FRAME, dtype=np.uint8)
    count = 300 if options.quick else 2_000
    # One window of five frames holds a transition's both stacks.
    size = BATCH * (STACK + 1)
    index = generator.integers(len(frames), size=(count, size))

    def gather() -> None:
        for rows in index:
            frames.take(rows, axis=0, mode="clip")

    def sample() -> None:
        for _ in range(count):
            replay.sample(BATCH)

    pairs = [(seconds(gather), seconds(sample)) for _ in range(repeats)]
    note("batches per second, bare gather", [count / a for a, _ in pairs])
    note("batches per second, `sample`", [count / b for _, b in pairs])
    note("rate of `sample` / bare gather", [a / b for a, b in pairs], ".2f")
    if on_tensorflow:
        iterator = iter(replay.dataset(BATCH))
        next(iterator)

        def dataset() -> None:
            for _ in range(count // 4):
                next(iterator)

        rates = [count // 4 / seconds(dataset) for _ in range(repeats)]
        note("batches per second, `dataset`, as tensors", rates)
    frame = int(np.prod(FRAME))
    note(
        "bytes per stored transition / bytes of a frame",
        [replay.nbytes / replay.capacity / frame],
        ".3f",
    )


def write_table(path: pathlib.Path) -> None:
    """Write the figures as a page."""
    names = ("keras", "tensorflow", "jax", "numpy", "ale-py", "gymnasium")
    versions = ", ".join(f"{n} {importlib.metadata.version(n)}" for n in names)
    lines = [
        "# Space Invaders: the loop and its parts",
        "",
        f"{datetime.date.today()}, {keras.backend.backend()} backend, "
        f"{processor()}, Python {platform.python_version()}, {versions}.",
        "",
        "    " + "python tests/benchmarks/space_invaders_loop.py",
        "",
        "| figure | median | range |",
        "|---|---|---|",
        *(f"| {' | '.join(row)} |" for row in rows),
    ]
    path.write_text("\n".join(lines) + "\n")


def processor() -> str:
    """Return what the machine calls its processor, and the core count."""
    import os

    name = platform.processor() or platform.machine()
    info = pathlib.Path("/proc/cpuinfo")
    if info.exists():
        models = [
            line.split(":", 1)[1].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        name = models[0] if models else name
    return f"{name}, {os.cpu_count()} cores"


if __name__ == "__main__":
    sampling_against_gather()
    for executions in (8, 1):
        fit_against_bare_loop(executions)
    whole_loop(num_envs=8, steps_per_execution=8)
    whole_loop(num_envs=1, steps_per_execution=1)
    if options.out:
        write_table(options.out)
