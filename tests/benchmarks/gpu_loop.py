"""The whole loop, acting and memory, beside the peer."""

import gc
import time

from gpu_figures import Figures, seconds_of
from gpu_kit import make_agent, make_game
from gpu_settings import (
    BATCH,
    FRAME,
    STACK,
    STEPS_PER_UPDATE,
    WARMUP,
)
from harness import Probes


def whole_loop(
    figures: Figures,
    peers: Probes,
    repeats: int,
    updates: int,
    sizes: tuple[int, ...],
) -> None:
    """Measure environment steps per second, beside the peer."""
    games = {}
    for num_envs in sizes:
        replay, collect = make_game(num_envs, WARMUP)
        games[num_envs] = make_agent(8), replay.batches(BATCH), collect

    def fit(num_envs: int, updates: int) -> tuple[float, dict]:
        """Return environment steps per second, and where the time went."""
        agent, batches, collect = games[num_envs]
        before, start = collect.environment_steps, time.perf_counter()
        history = agent.fit(
            batches,
            steps_per_epoch=updates,
            callbacks=[collect],
            shuffle=False,
            verbose=0,
        ).history
        rate = collect.environment_steps - before
        rate /= time.perf_counter() - start
        shares = {
            name.removeprefix("time_"): values[-1]
            for name, values in history.items()
            if name.startswith("time_")
        }
        return rate, shares

    for num_envs in sizes:
        fit(num_envs, 16)
        figures.say(f"compiled: {num_envs} environments")
    unit = "environment steps per second"
    for _ in range(repeats):
        rates = {}
        for count in sizes:
            rates[count], shares = fit(count, updates)
            setting = f"{count} environments"
            figures.add("whole loop", setting, unit, rates[count])
            for part, share in shares.items():
                figures.add(f"time, {part}", setting, "%", 100 * share)
        for peer in peers.names:
            # Whole rounds of the peer's environments, half as many: it is
            # slower and need not be waited for.
            steps = updates * STEPS_PER_UPDATE // 2
            answer = peers[peer].work("learn", steps)
            rate = answer["done"] / answer["seconds"]
            name = f"Stable-Baselines3, {peer} environments"
            figures.add("whole loop", name, unit, rate)
            ratio = answer["done"] / max(answer["updates"], 1)
            figures.add("environment steps per gradient step", name, "", ratio)
            for count in sizes:
                setting = f"{count} environments / {name}"
                figures.add(
                    "whole loop, ratio", setting, "times", rates[count] / rate
                )
    figures.show("whole loop", "whole loop, ratio")
    for part in ("environment", "acting", "storing", "sampling", "training"):
        figures.show(f"time, {part}")


def acting(figures: Figures, peers: Probes, repeats: int, count: int) -> None:
    """Measure how long choosing actions takes."""
    import numpy as np

    import keras_rlkit as rlk

    agent = make_agent(1)
    policy = rlk.policies.EpsilonGreedy(0.0, seed=0)
    random = np.random.default_rng(0)
    observations = {
        size: random.integers(255, size=(size, *FRAME, STACK), dtype=np.uint8)
        for size in (1, 8, 32)
    }

    def act(size: int) -> None:
        for _ in range(count):
            policy(agent, observations[size], 0)

    for size in observations:
        act(size)
    for _ in range(repeats):
        for size in observations:
            value = seconds_of(lambda size=size: act(size)) / count
            setting = f"{size} observations"
            figures.add("acting", setting, "ms per call", 1000 * value)
        for size in peers.names:
            figures.add(
                "acting",
                f"Stable-Baselines3, {size} observations",
                "ms per call",
                1000 / peers[size].rate("act", count),
            )
    figures.show("acting")


def memory(figures: Figures, steps: int, agents: int) -> None:
    """Measure the memory that is left after each of several agents."""
    import jax
    import psutil

    statistics_of_device = jax.local_devices()[0].memory_stats()
    if statistics_of_device is None:
        figures.notes.append(
            "This device tells nothing of its memory: only the process' "
            "resident memory was measured."
        )
        figures.say(figures.notes[-1])
    replay, collect = make_game(8, WARMUP)
    batches = replay.batches(BATCH)
    for number in range(agents):
        agent = make_agent(8)
        agent.fit(
            batches,
            steps_per_epoch=steps,
            callbacks=[collect],
            shuffle=False,
            verbose=0,
        )
        del agent
        collect._model = None
        gc.collect()
        resident = psutil.Process().memory_info().rss / 2**20
        figures.add("resident memory", "after each agent", "MiB", resident)
        text = f"agent {number + 1} of {agents}: {resident:,.0f} MiB resident"
        if statistics_of_device is not None:
            used = jax.local_devices()[0].memory_stats()["bytes_in_use"]
            used /= 2**20
            figures.add("device memory in use", "after each agent", "MiB", used)
            text += f", {used:,.2f} MiB on the device"
        figures.say(text)
    for (figure, _, _), values in list(figures.values.items()):
        if figure in ("resident memory", "device memory in use"):
            figures.notes.append(
                f"{figure}, MiB, after agents 1 to {agents}: "
                + ", ".join(f"{value:,.2f}" for value in values)
                + "."
            )
