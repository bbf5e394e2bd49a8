"""What a replay buffer would take, next to what the machine has."""

import shutil
from typing import Any

import numpy as np

from keras_rlkit.replay.sampling.sampler import Sampler
from keras_rlkit.replay.storage.array_checks import check_dtype, check_shape
from keras_rlkit.replay.storage.environment_spaces import check_space
from keras_rlkit.replay.storage.frame_counts import num_frames
from keras_rlkit.replay.storage.machine_limits import (
    available_memory,
    gibibytes,
)
from keras_rlkit.replay.storage.observation_frames import frames_of
from keras_rlkit.replay.storage.storage_settings import Compressed, Disk, Memory
from keras_rlkit.replay.storage.transition_ring import TransitionRing
from keras_rlkit.utils import check_positive_integer, check_positive_number

# 7,056 bytes of a frame of Space Invaders, played at random, become 236.
IMAGE_COMPRESSION = 30
# Frames of numbers, or of a few pixels, may not get smaller at all.
SMALLEST_IMAGE_BYTES = 1024


def plan(
    capacity: int,
    observation_shape: tuple[int, ...],
    observation_dtype: str | np.dtype,
    num_envs: int = 1,
    frame_stack: int | None = None,
    n_step: int = 1,
    sampler: Sampler | None = None,
    compression: float | None = None,
    folder: str | None = None,
) -> dict[str, dict[str, int]]:
    """Print what each storage would need for a capacity, and what there is.

    Nothing is allocated. What `"compressed"` takes is an estimate: how well
    frames compress shows only when they are played. Fill a small buffer and
    divide to get a better figure for your environment.

    Args:
        capacity: Positive integer, transitions to keep.
        observation_shape: Shape of one environment's observation.
        observation_dtype: NumPy dtype of observations.
        num_envs: Positive integer, environments that are stepped together.
            Defaults to 1.
        frame_stack: Length of the stack on the last axis of an observation,
            or `None`. Defaults to `None`.
        n_step: Positive integer, environment steps joined into one
            transition. Defaults to 1.
        sampler: `Uniform`, which takes nothing, or `Prioritized`. `None` is
            `Uniform()`. Defaults to `None`.
        compression: How many times smaller frames get. `None` assumes 30, as
            measured on Space Invaders, for 8-bit frames of 1 KiB or more, and
            1 for others. Defaults to `None`.
        folder: Folder on the disk to ask. `None` takes the system's folder for
            temporary files. Defaults to `None`.

    Returns:
        Dictionary with the keys `"memory"`, `"compressed"` and `"disk"`, the
        values of `ReplayBuffer(storage=...)`, and `"available"`; each holds a
        dictionary of bytes, `{"memory": ..., "disk": ...}`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    ```python
    plan = rlk.replay.ReplayBuffer.plan(
        1_000_000, (84, 84, 4), "uint8", num_envs=8, frame_stack=4
    )
    plan["compressed"]["memory"] < 2**29  # True
    ```
    """
    dtype = check_dtype(observation_dtype)
    if frame_stack is not None:
        frame_stack = check_positive_integer("frame_stack", frame_stack)
    stack, shape = frames_of(check_shape(observation_shape), frame_stack)
    layout = {
        "capacity": check_positive_integer("capacity", capacity),
        "frame_shape": shape,
        "frame_dtype": dtype,
        "num_envs": check_positive_integer("num_envs", num_envs),
        "stack": stack,
        "n_step": check_positive_integer("n_step", n_step),
    }
    disk = Disk(folder)
    frame_bytes = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if compression is None:
        image = dtype.itemsize == 1 and frame_bytes >= SMALLEST_IMAGE_BYTES
        compression = IMAGE_COMPRESSION if image else 1
    check_positive_number("compression", compression)
    sizes = {
        "memory": TransitionRing.size_of(**layout, storage=Memory()),
        "compressed": TransitionRing.size_of(**layout, storage=Compressed()),
        "disk": TransitionRing.size_of(**layout, storage=disk),
    }
    needs = {name: size._asdict() for name, size in sizes.items()}
    if sampler is not None:
        for size in needs.values():
            size["memory"] += sampler.size_of(capacity)
    frames = num_frames(**layout) * frame_bytes
    needs["compressed"]["memory"] += int(frames / compression)
    needs["available"] = {
        "memory": available_memory(),
        "disk": shutil.disk_usage(disk.path).free,
    }
    print(
        _table(needs, capacity, frame_bytes, compression, disk.path),
        flush=True,
    )
    return needs


def plan_for_environment(
    environment: Any, capacity: int, **arguments: Any
) -> dict[str, dict[str, int]]:
    """Print what each storage would need for an environment.

    Args:
        environment: Any gymnasium environment or vector environment with one
            array as observation and discrete actions.
        capacity: Positive integer, transitions to keep.
        **arguments: Further arguments of `ReplayBuffer.plan`.

    Returns:
        As `ReplayBuffer.plan`.

    Raises:
        ValueError: If a space of the environment does not fit.

    Example:

    ```python
    import gymnasium

    environment = gymnasium.make("CartPole-v1")
    rlk.replay.ReplayBuffer.plan_for_environment(environment, 1_000_000)
    ```
    """
    shape, dtype, num_envs, _ = check_space(environment)
    return plan(capacity, shape, dtype, **{"num_envs": num_envs, **arguments})


def _table(
    needs: dict[str, dict[str, int]],
    capacity: int,
    frame_bytes: int,
    compression: float,
    folder: str,
) -> str:
    compressed = frame_bytes / compression
    lines = [
        f"Replay of {capacity:,} transitions, frames of {frame_bytes:,} bytes:",
        f"{'storage':<14}{'memory':>14}{'disk':>14}",
    ]
    for name, size in needs.items():
        label = "this machine" if name == "available" else f'"{name}"'
        memory, disk = map(gibibytes, (size["memory"], size["disk"]))
        lines.append(f"{label:<14}{memory:>14}{disk:>14}")
    return "\n".join(
        [
            *lines,
            f'"compressed" is an estimate, from {compressed:,.0f} bytes a '
            f"frame (1/{compression:g}). The disk is that of {folder!r}.",
        ]
    )
