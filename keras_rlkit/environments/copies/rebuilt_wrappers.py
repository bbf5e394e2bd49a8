"""Makes wrappers a second time, and takes over what they have gathered."""

import copy
import inspect
import io
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

BATCHED = ("observation_space", "action_space")


def wrappers_of(environment: Any) -> list[Any]:
    """Return the wrappers that change what is played, outermost first.

    Args:
        environment: `gymnasium.Env` or `gymnasium.vector.VectorEnv`.

    Returns:
        Wrappers, without those that only show or record: first of the
        environment itself, then of the first one in a vector.
    """
    import gymnasium

    found = []
    while True:
        if isinstance(
            environment, (gymnasium.Wrapper, gymnasium.vector.VectorWrapper)
        ):
            if not isinstance(environment, _showing()):
                found.append(environment)
            environment = environment.env
        elif isinstance(environment, gymnasium.vector.VectorEnv) and getattr(
            environment, "envs", None
        ):
            environment = environment.envs[0]
        else:
            return found


def make_again(wrapper: Any, environment: Any) -> Any:
    """Make a wrapper of the same kind around another environment.

    Args:
        wrapper: Wrapper of a single environment or of a vector. Its arguments
            are those that gymnasium has recorded, or attributes of the names
            of its constructor's arguments.
        environment: What the new one wraps.

    Returns:
        The new wrapper.

    Raises:
        ValueError: If that can't be done.
    """
    name = type(wrapper).__name__
    if any(isinstance(part, io.IOBase) for part in vars(wrapper).values()):
        raise _refusal(f"{name}, which writes into a file")
    try:
        return type(wrapper)(environment, **_arguments(wrapper))
    except Exception as error:
        raise _refusal(f"{name}: {error}") from error


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


def _arguments(wrapper: Any) -> dict[str, Any]:
    import gymnasium

    inside = vars(wrapper).get("wrapper")
    recorded = {
        # gymnasium's vector wrappers hold one of the same arguments.
        **getattr(inside, "_saved_kwargs", {}),
        **getattr(wrapper, "_saved_kwargs", {}),
    }
    held = {**vars(wrapper), **recorded}
    several = isinstance(wrapper, gymnasium.vector.VectorWrapper)
    arguments = {}
    # The first one is the environment.
    for parameter in list(_parameters(wrapper))[1:]:
        name = parameter.name
        if several and name in BATCHED:
            # For another number of environments; the single one decides.
            continue
        if parameter.kind is parameter.VAR_KEYWORD:
            arguments |= recorded
        elif name == "wrapper" and inside is not None:
            arguments[name] = type(inside)
        elif name in held or f"_{name}" in held:
            arguments[name] = held.get(name, held.get(f"_{name}"))
        elif parameter.default is parameter.empty and (
            parameter.kind is not parameter.VAR_POSITIONAL
        ):
            raise ValueError(f"its argument `{name}` isn't kept by that name")
    arguments.pop("env", None)
    return copy.deepcopy(arguments)


def _parameters(wrapper: Any) -> Any:
    return inspect.signature(type(wrapper)).parameters.values()


def _showing() -> tuple[type, ...]:
    from gymnasium import wrappers

    return (
        wrappers.HumanRendering,
        wrappers.RecordVideo,
        wrappers.RenderCollection,
        wrappers.vector.HumanRendering,
        wrappers.vector.RecordVideo,
    )


def _refusal(received: str) -> ValueError:
    return ValueError(
        "`environment` must have wrappers that can be made a second time, to "
        f"be filmed as it is played. Received: {received}. Let the wrapper "
        "record its arguments (`gymnasium.utils.RecordConstructorArgs`) or "
        "keep them as attributes of the same names, or hand over another "
        "environment to film."
    )
