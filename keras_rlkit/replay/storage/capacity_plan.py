"""What a replay buffer would take, next to what the machine has."""

import shutil
from collections.abc import Sequence
from typing import Any, NamedTuple

from keras_rlkit.replay.sampling.sampler import Sampler
from keras_rlkit.replay.storage.action_layout import ActionLayout
from keras_rlkit.replay.storage.action_masks import check_mask_size
from keras_rlkit.replay.storage.carried_states import check_sequences
from keras_rlkit.replay.storage.environment_spaces import (
    read_transition_spaces,
)
from keras_rlkit.replay.storage.frame_counts import num_frames
from keras_rlkit.replay.storage.frame_groups import FrameGroup
from keras_rlkit.replay.storage.machine_limits import (
    available_memory,
    gibibytes,
)
from keras_rlkit.replay.storage.observation_layout import ObservationLayout
from keras_rlkit.replay.storage.storage_settings import Compressed, Disk, Memory
from keras_rlkit.replay.storage.transition_ring import TransitionRing
from keras_rlkit.utils import check_positive_integer, check_positive_number

# 7,056 bytes of a frame of Space Invaders, played at random, become 236.
IMAGE_COMPRESSION = 30
# Frames of numbers, or of a few pixels, may not get smaller at all.
SMALLEST_IMAGE_BYTES = 1024


def plan(
    capacity: int,
    observation_shape: Any,
    observation_dtype: Any,
    num_envs: int = 1,
    frame_stack: Any = None,
    n_step: int = 1,
    sampler: Sampler | None = None,
    compression: float | None = None,
    folder: str | None = None,
    num_actions: int | None = None,
    action_masks: bool = False,
    sequence_length: int | None = None,
    burn_in: int = 0,
    state_shape: Sequence[tuple[int, ...]] = (),
) -> dict[str, dict[str, int]]:
    """Print what each storage would need for a capacity, and what there is.

    Nothing is allocated. What `"compressed"` takes is an estimate: how well
    frames compress shows only when they are played. Fill a small buffer and
    divide to get a better figure for your environment.

    Args:
        capacity: Positive integer, transitions to keep.
        observation_shape: Shape of one environment's observation, or a nest of
            shapes.
        observation_dtype: NumPy dtype of observations, or a nest of dtypes.
        num_envs: Positive integer, environments that are stepped together.
            Defaults to 1.
        frame_stack: Length of the stack on the last axis of an observation,
            or `None`, or a nest of such. Defaults to `None`.
        n_step: Positive integer, environment steps joined into one
            transition. Defaults to 1.
        sampler: `Uniform`, which takes nothing, or `Prioritized`. `None` is
            `Uniform()`. Defaults to `None`.
        compression: How many times smaller frames get. `None` assumes 30, as
            measured on Space Invaders, for 8-bit frames of 1 KiB or more, and
            1 for others. Defaults to `None`.
        folder: Folder on the disk to ask. `None` takes the system's folder for
            temporary files. Defaults to `None`.
        num_actions: Number of actions, which masks are of. Defaults to `None`.
        action_masks: Whether masks are stored. Defaults to `False`.
        sequence_length: Steps of a sequence, or `None`. Defaults to `None`.
        burn_in: Steps before a sequence. Defaults to 0.
        state_shape: Shapes of the network's carried state. Defaults to `()`.

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
    layout = ObservationLayout(
        observation_shape,
        observation_dtype,
        frame_stack,
        check_mask_size(action_masks, ActionLayout((), num_actions)),
        state_shape,
    )
    ring = {
        "capacity": check_positive_integer("capacity", capacity),
        "layout": layout,
        "num_envs": check_positive_integer("num_envs", num_envs),
        "n_step": check_positive_integer("n_step", n_step),
        "sequence": check_sequences(
            sequence_length, layout.state_shape, burn_in
        ),
    }
    disk = Disk(folder)
    if compression is not None:
        check_positive_number("compression", compression)
    sizes = {
        "memory": TransitionRing.size_of(**ring, storage=Memory()),
        "compressed": TransitionRing.size_of(**ring, storage=Compressed()),
        "disk": TransitionRing.size_of(**ring, storage=disk),
    }
    needs = {name: size._asdict() for name, size in sizes.items()}
    if sampler is not None:
        for size in needs.values():
            size["memory"] += sampler.size_of(capacity)
    plain = compressed = 0
    for group in layout.groups:
        frame = _Frame.of(group, compression)
        frames = num_frames(
            ring["capacity"],
            group.frame_shape,
            group.frame_dtype,
            ring["num_envs"],
            group.stack,
            ring["n_step"],
        )
        needs["compressed"]["memory"] += int(frames * frame.compressed)
        plain += frame.plain
        compressed += frame.compressed
    needs["available"] = {
        "memory": available_memory(),
        "disk": shutil.disk_usage(disk.path).free,
    }
    print(
        _table(needs, capacity, _Frame(plain, compressed), disk.path),
        flush=True,
    )
    return needs


def plan_for_environment(
    environment: Any, capacity: int, **arguments: Any
) -> dict[str, dict[str, int]]:
    """Print what each storage would need for an environment.

    Args:
        environment: Any gymnasium environment or vector environment with
            discrete actions.
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
    spaces = read_transition_spaces(environment)
    return plan(capacity, **{**spaces, **arguments})


class _Frame(NamedTuple):
    """Bytes of the newest frame of each part, as it is and compressed."""

    plain: int
    compressed: float

    @classmethod
    def of(cls, group: FrameGroup, compression: float | None) -> "_Frame":
        dtype, size = group.frame_dtype, group.frame_bytes
        if compression is None:
            image = dtype.itemsize == 1 and size >= SMALLEST_IMAGE_BYTES
            compression = IMAGE_COMPRESSION if image else 1
        return cls(size, size / compression)


def _table(
    needs: dict[str, dict[str, int]],
    capacity: int,
    frame: _Frame,
    folder: str,
) -> str:
    ratio = frame.plain / frame.compressed
    lines = [
        f"Replay of {capacity:,} transitions, frames of {frame.plain:,} bytes:",
        f"{'storage':<14}{'memory':>14}{'disk':>14}",
    ]
    for name, size in needs.items():
        label = "this machine" if name == "available" else f'"{name}"'
        memory, disk = map(gibibytes, (size["memory"], size["disk"]))
        lines.append(f"{label:<14}{memory:>14}{disk:>14}")
    return "\n".join(
        [
            *lines,
            f'"compressed" is an estimate, from {frame.compressed:,.0f} bytes '
            f"a frame (1/{ratio:.3g}). The disk is that of {folder!r}.",
        ]
    )
