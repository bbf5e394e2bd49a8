"""The whole training loop beside other libraries, and how its cost grows."""

import os

import psutil
from harness import (
    Figure,
    Probe,
    Probes,
    Section,
    comparisons,
    has_bfloat16,
    pair_ratios,
)

TITLES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
BACKEND = os.environ.get("KERAS_BACKEND", "tensorflow")
SB3 = "Stable-Baselines3"
SB3_OF_EIGHT = f"{SB3}, 8 environments"
PARTS = ("environment", "acting", "storing", "sampling", "training")


def kit(backend: str | None = None, **settings: object):
    """Return a function that starts the kit's loop."""
    return lambda: Probe("loop_kit.py", settings, backend=backend or BACKEND)


def peer(name: str, script: str, **settings: object):
    """Return a function that starts another library's loop."""
    return lambda: Probe(script, settings, name)


def kit_name(
    num_envs: int, executions: int, extra: str = "", backend: str | None = None
) -> str:
    """Return the kit's name in the table, with its settings."""
    several = "s" if num_envs > 1 else ""
    return (
        f"kit, {TITLES[backend or BACKEND]}, {num_envs} "
        f"environment{several}, {executions} per execution{extra}"
    )


def rates_of(
    title: str,
    makers: dict,
    steps: int,
    repeats: int,
    goal: tuple[str, tuple[str, float]] | None = None,
) -> tuple[Section, dict]:
    """Measure loops in turn.

    Args:
        title: Of the section.
        makers: What starts each loop, by its name. The first one is compared
            with what isn't the kit.
        steps: Environment steps of a repeat.
        repeats: How often.
        goal: Name of what the first one's target stands beside, and the
            target.

    Returns:
        The section, and the rates by name.
    """
    with Probes(makers) as probes:
        rates = probes.rates("run", steps, repeats)
        section = Section(title, [], probes.notes, probes.versions)
    section.figures += [Figure(name, values) for name, values in rates.items()]
    ours = next(iter(makers))
    for other in makers:
        if not other.startswith("kit"):
            target = goal[1] if goal and other == goal[0] else None
            section.figures += comparisons(rates, ours, [other], target)
    return section, rates


def space_invaders(repeats: int, quick: bool) -> Section:
    """Measure DQN on Space Invaders with the network of Mnih et al."""
    task = {"task": "nature"}
    makers = {
        kit_name(8, 8): kit(**task),
        kit_name(1, 1): kit(**task, num_envs=1, steps_per_execution=1),
        kit_name(8, 8, ", double Q"): kit(**task, double=True),
    }
    if BACKEND != "jax":
        makers[kit_name(8, 8, "", "jax")] = kit("jax", **task)
    goal, lacking = (SB3, (">=", 2.0)), []
    half = kit_name(8, 8, ", `mixed_bfloat16`")
    if has_bfloat16():
        makers[half] = kit(**task, dtype="mixed_bfloat16")
    else:
        lacking.append(
            "`mixed_bfloat16` is not measured: this processor doesn't compute "
            "in bfloat16 (no `avx512_bf16`, no `amx_bf16`)."
        )
    makers |= {
        SB3: peer("sb3", "loop_sb3.py", **task),
        SB3_OF_EIGHT: peer("sb3", "loop_sb3.py", **task, num_envs=8),
        "Tianshou": peer("tianshou", "loop_tianshou.py", **task),
        "torch loop by hand": peer("sb3", "loop_torch.py", **task),
    }
    section, rates = rates_of(
        "DQN on Space Invaders, Nature network, batch 32, environment steps a "
        "second",
        makers,
        480,
        repeats,
        goal,
    )
    section.figures += comparisons(rates, half, [SB3], (">=", 2.5))
    section.figures += comparisons(rates, kit_name(1, 1), [SB3])
    section.notes += [
        "One gradient step for four environment steps, Adam at 1e-4, float32, "
        "a hard copy of the target network every 1,000 environment steps, "
        "ordinary Q-learning where nothing else is said. The kit plays "
        "ale-py's vector environment, the others gymnasium's wrappers, one "
        f"game where nothing else is said. {SB3} also clips gradients by their "
        "norm, which it always does.",
        *lacking,
    ]
    return section


def split(repeats: int, quick: bool) -> Section:
    """Measure which part of the loop takes the time."""
    section = Section(
        "where the kit's time goes on Space Invaders, Nature network, percent",
        [],
    )
    for num_envs, executions in ((8, 8), (1, 1)):
        name = kit_name(num_envs, executions)
        makers = {
            name: kit(
                task="nature",
                num_envs=num_envs,
                steps_per_execution=executions,
            )
        }
        with Probes(makers) as probes:
            answers = [probes[name].work("split", 480) for _ in range(repeats)]
            section.versions |= probes.versions
        section.figures += [
            Figure(f"{part}, {name}", [a[part] for a in answers], ".1f")
            for part in PARTS
        ]
    section.notes.append(
        "From `CollectSteps(log_time=True)`. Sampling is the time that "
        "training waits for a batch."
    )
    return section


def _cartpole(
    title: str, batch: int, units: list[int], repeats: int, peers: dict
) -> Section:
    task = {"task": "cartpole", "batch": batch, "units": units}
    makers = {
        kit_name(8, 8): kit(**task),
        kit_name(8, 32): kit(**task, steps_per_execution=32),
        kit_name(1, 8): kit(**task, num_envs=1),
        kit_name(1, 1): kit(**task, num_envs=1, steps_per_execution=1),
    }
    if BACKEND != "jax":
        makers[kit_name(8, 8, "", "jax")] = kit("jax", **task)
    makers |= {
        name: peer(environment, script, **task, **more)
        for name, (environment, script, more) in peers.items()
    }
    section, rates = rates_of(title, makers, 3_200, repeats, (SB3, (">=", 2.0)))
    others = [kit_name(8, 32)]
    if BACKEND != "jax":
        others.append(kit_name(8, 8, "", "jax"))
    for name in others:
        section.figures += comparisons(rates, name, [SB3, SB3_OF_EIGHT])
    section.figures += comparisons(rates, kit_name(1, 1), [SB3])
    section.notes.append(
        "One gradient step for four environment steps, Adam at 1e-4. Eight "
        "environments of the kit are gymnasium's vectorised CartPole."
    )
    return section


ALONE = {
    SB3: ("sb3", "loop_sb3.py", {}),
    SB3_OF_EIGHT: ("sb3", "loop_sb3.py", {"num_envs": 8}),
}


def cartpole_wide(repeats: int, quick: bool) -> Section:
    """Measure DQN on CartPole, dense 256-256."""
    peers = {
        **ALONE,
        "Tianshou": ("tianshou", "loop_tianshou.py", {}),
        "torch loop by hand": ("sb3", "loop_torch.py", {}),
    }
    title = (
        "DQN on CartPole-v1, dense 256-256, batch 64, environment steps a "
        "second"
    )
    return _cartpole(title, 64, [256, 256], repeats, peers)


def cartpole(repeats: int, quick: bool) -> Section:
    """Measure DQN on CartPole, the default network of Stable-Baselines3."""
    title = (
        "DQN on CartPole-v1, dense 64-64 (default of Stable-Baselines3), "
        "batch 32, environment steps a second"
    )
    return _cartpole(title, 32, [64, 64], repeats, ALONE)


def tutorial(repeats: int, quick: bool) -> Section:
    """Measure the tutorial's settings against the tutorial's way."""
    task = {"task": "tutorial", "steps_per_update": 1, "double": True}
    way = "the tutorial's way"
    makers = {
        kit_name(1, 8): kit(**task, num_envs=1),
        kit_name(1, 1): kit(**task, num_envs=1, steps_per_execution=1),
        kit_name(8, 8): kit(**task),
        way: lambda: Probe("loop_tutorial.py", {}, backend="tensorflow"),
    }
    section, rates = rates_of(
        "Space Invaders as the tutorial sets it, environment steps a second",
        makers,
        64,
        repeats,
        (way, (">=", 2.5)),
    )
    section.notes.append(
        "Images of 105x80, conv 16 (8x8, stride 4) and 32 (4x4, stride 2), "
        "dueling heads of 256, double Q-learning, a gradient step of 32 "
        "transitions after every environment step, no skipped frames, soft "
        "updates of 0.08. The tutorial's way is eager: one sample at a time, "
        "float32 frames, `train_on_batch`."
    )
    return section


def growth(repeats: int, quick: bool) -> Section:
    """Measure how the loop's cost grows."""
    section = Section(
        "how the kit's loop grows, environment steps a second", []
    )
    sizes = (10_000, 100_000, 1_000_000)

    def series(title, changes, steps, **task):
        makers = {
            name: kit(**task, **change) for name, change in changes.items()
        }
        print(f"  {title}", flush=True)
        part, rates = rates_of(title, makers, steps, repeats)
        section.versions |= part.versions
        section.notes += part.notes
        section.figures += [
            Figure(f"{title}, {name}", values) for name, values in rates.items()
        ]
        return list(rates.values())

    def buffers(title, steps, **task):
        changes = {
            f"buffer of {size:,}": {"capacity": size, "full": True}
            for size in sizes
        }
        rates = series(title, changes, steps, **task)
        if len(rates) == len(sizes):
            section.figures.append(
                Figure(
                    f"ratio of the costs, {title}, buffer of {sizes[-1]:,} / "
                    f"{sizes[0]:,}",
                    pair_ratios(rates[0], rates[-1]),
                    ".3f",
                    ("<=", 1.15),
                )
            )

    cartpole = {"task": "cartpole"}
    pixels = "Space Invaders, conv 16-32, dueling 256"
    buffers("CartPole, dense 256-256", 6_400, **cartpole)
    if psutil.virtual_memory().available > 11 * 2**30:
        buffers(pixels, 800, task="dueling")
    else:
        section.notes.append(
            "Buffers of Space Invaders are not measured: a million frames "
            "need 11 GiB of free memory with what else is there."
        )
    for task, title, steps in (
        (cartpole, "CartPole, dense 256-256", 6_400),
        ({"task": "dueling"}, pixels, 800),
    ):
        environments = {
            f"{n} environment{'s' * (n > 1)}": {"num_envs": n}
            for n in (1, 4, 8, 16, 32)
        }
        series(title, environments, steps, **task)
    batches = {f"batch {size}": {"batch": size} for size in (32, 128, 512)}
    series("CartPole, dense 256-256", batches, 3_200, **cartpole)
    section.notes.append(
        "One gradient step for four environment steps, 8 steps per execution; "
        "8 environments, batch 32 and a buffer of 20,000 where nothing else "
        "is said."
    )
    return section
