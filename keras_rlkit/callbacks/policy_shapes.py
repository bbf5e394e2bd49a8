"""Shapes of actions, and of what a policy must give for them."""

from typing import Any


def shape_of_actions(space: Any) -> Any:
    """Return the shape of an environment's actions, or a nest of shapes.

    Args:
        space: Space of one environment's action.
    """
    parts = getattr(space, "spaces", None)
    if isinstance(parts, dict):
        return {key: shape_of_actions(part) for key, part in parts.items()}
    if parts is not None:
        return tuple(map(shape_of_actions, parts))
    return tuple(space.shape)


def check_policy_shape(space: Any, shape: Any, path: str = "") -> None:
    """Raise unless a model's policy fits an environment's actions.

    Args:
        space: Space of one environment's action, or of a part of it.
        shape: Shape of what the policy acts on, batch first, or a nest.
        path: Where it is in the action. Defaults to the whole.

    Raises:
        ValueError: If the model gives another number of numbers, or another
            nest of them.
    """
    parts = getattr(space, "spaces", None)
    if parts is None:
        _check_array(space, shape, path)
        return
    keys: Any = sorted(parts) if isinstance(parts, dict) else range(len(parts))
    kind = dict if isinstance(parts, dict) else (tuple, list)
    fits = isinstance(shape, kind) and len(shape) == len(parts)
    if not fits or (isinstance(shape, dict) and sorted(shape) != keys):
        raise ValueError(
            f"The model's policy{path} must give an output for each of the "
            f"parts {list(keys)} of {space}. Received: a model with policy "
            f"output shape {shape}."
        )
    for key in keys:
        check_policy_shape(parts[key], shape[key], f"{path}[{key!r}]")


def _check_array(space: Any, shape: Any, path: str) -> None:
    if hasattr(space, "nvec"):
        sizes = [int(size) for size in space.nvec]
        several = isinstance(shape, (tuple, list)) and all(
            isinstance(part, (tuple, list)) for part in shape
        )
        if not several or [part[-1] for part in shape] != sizes:
            raise ValueError(
                f"The model's policy{path} must give a list of logits, "
                f"{sizes} of them, for {space}. Received: a model with policy "
                f"output shape {shape}."
            )
        return
    if hasattr(space, "low"):
        expected = 2 * space.shape[0]
        kind = "a mean and a log-scale for each part of an"
    elif space.shape:
        expected, kind = space.shape[0], "a logit for each bit of an"
    else:
        expected, kind = int(space.n), "one logit for each"
    one = isinstance(shape, (tuple, list)) and not isinstance(
        shape[-1], (tuple, list, dict)
    )
    if not one or shape[-1] != expected:
        raise ValueError(
            f"The model's policy{path} must give {kind} action of the "
            f"environment, {expected} numbers for {space}. Received: a "
            f"model with policy output shape {shape}."
        )
