"""Makes wrappers a second time."""

import copy
import inspect
import io
from typing import Any

BATCHED = ("observation_space", "action_space")


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


def wrap_again(wrappers: list[Any], environment: Any) -> Any:
    """Make wrappers a second time, around another environment.

    Args:
        wrappers: Wrappers, outermost first.
        environment: What they are to wrap.

    Returns:
        The outermost new wrapper; `environment` itself if there are none.

    Raises:
        ValueError: If one can't be made again.
    """
    for wrapper in reversed(wrappers):
        environment = make_again(wrapper, environment)
    return environment


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


def _refusal(received: str) -> ValueError:
    return ValueError(
        "`environment` must have wrappers that can be made a second time, to "
        f"be filmed as it is played. Received: {received}. Let the wrapper "
        "record its arguments (`gymnasium.utils.RecordConstructorArgs`) or "
        "keep them as attributes of the same names, or hand over another "
        "environment to film."
    )
