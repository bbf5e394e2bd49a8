"""Takes over what wrappers have gathered, such as running statistics."""

from typing import Any

import numpy as np

from keras_rlkit.environments.copies.attribute_copies import (
    CannotCopyError,
    copy_part,
    restore_part,
)
from keras_rlkit.environments.copies.part_kinds import (
    SPACES,
    is_environment,
    is_fixed,
)
from keras_rlkit.environments.copies.wrappers_around import (
    wrappers_of,
)


def take_over(copied: Any, environment: Any) -> list[str]:
    """Give a copy's wrappers what those of another environment hold now.

    Numbers, arrays and objects of these are taken over, such as running
    statistics and the counters of a curriculum; random generators are not,
    nor arrays with a row for each environment of a vector of another size.

    Args:
        copied: Adapted environment from `filmed_copy`.
        environment: The adapted environment that it is a copy of.

    Returns:
        Names of what can't be taken over.
    """
    left_out = []
    pairs = zip(
        wrappers_of(environment.environment),
        wrappers_of(copied.environment),
        strict=False,
    )
    for source, target in pairs:
        if type(source) is not type(target):
            break
        for name, part in vars(source).items():
            try:
                _take_over_part(vars(target), name, part)
            except CannotCopyError:
                left_out.append(f"{type(source).__name__}.{name}")
    return left_out


def _take_over_part(target: dict[str, Any], name: str, part: Any) -> None:
    present = target.get(name)
    if type(present) is not type(part) or name == "_saved_kwargs":
        return
    if isinstance(part, np.ndarray) and part.shape != present.shape:
        return
    if name.lstrip("_") in SPACES or is_environment(part) or is_fixed(part):
        return
    # Each has its own, and functions are the same.
    if isinstance(part, np.random.Generator) or callable(part):
        return
    target[name] = restore_part(copy_part(part), present)
