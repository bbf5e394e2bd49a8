"""How many frames a ring of transitions needs."""

import numpy as np

# Observations up to this size get room for the worst case, in which every
# episode has one step and no frame is shared.
SMALL_OBSERVATION_BYTES = 512
# Larger ones get this part of the capacity on top, for episodes' ends.
SPARE_FRAMES = 1 / 40


def num_frames(
    capacity: int,
    frame_shape: tuple[int, ...],
    frame_dtype: np.dtype,
    num_envs: int,
    stack: int,
    n_step: int,
) -> int:
    """Return how many frames a store with these arguments keeps."""
    frame_bytes = int(np.prod(frame_shape, dtype=np.int64))
    frame_bytes *= frame_dtype.itemsize
    if frame_bytes * stack <= SMALL_OBSERVATION_BYTES:
        stored = capacity * 2 * stack
    else:
        stored = capacity + int(capacity * SPARE_FRAMES)
    # The steps under way need their frames beside the stored ones.
    return stored + num_envs * (n_step + 1) * 2 * stack
