"""Clauses on constructors and configurations."""

import copy
import inspect
import json
from collections.abc import Callable
from typing import Any

import keras

from keras_rlkit.testing.clauses import require
from keras_rlkit.testing.comparisons import differ, is_kept, to_json

# What Keras' own base classes keep and save.
OF_KERAS = ("name", "dtype", "trainable")

Arguments = dict[str, Any] | Callable[[], dict[str, Any]] | None


def make_arguments(arguments: Arguments) -> dict[str, Any]:
    """Return the constructor's arguments, anew where a function makes them."""
    return dict(arguments() if callable(arguments) else arguments or {})


def own_arguments(part: type) -> list[inspect.Parameter]:
    """Return the arguments that a class's own constructor names."""
    if part.__init__ is object.__init__:
        return []
    return [
        parameter
        for parameter in list(
            inspect.signature(part.__init__).parameters.values()
        )[1:]
        if parameter.kind
        not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and parameter.name not in OF_KERAS
    ]


def check_arguments(
    part: type,
    arguments: Arguments,
    consumed: tuple[str, ...] = (),
    excluded: tuple[str, ...] = (),
) -> None:
    """Check that each argument is tried and kept.

    Args:
        part: The class.
        arguments: Its constructor's arguments.
        consumed: Arguments that need not be kept.
        excluded: Arguments that need not be tried.

    Raises:
        AssertionError: If an argument has its default, so that no clause
            could see it being lost, or if the object doesn't keep it.
    """
    given = make_arguments(arguments)
    for parameter in own_arguments(part):
        name, default = parameter.name, parameter.default
        if name in excluded:
            continue
        require(
            name in given and differ(given[name], default),
            f"`arguments` must give `{name}` a value other than its default, "
            "or nothing could show that it is kept and saved. "
            f"Received: {name}={given.get(name, default)!r}.",
        )
    check_kept(part(**given), given, consumed)


def check_kept(
    made: Any, given: dict[str, Any], consumed: tuple[str, ...] = ()
) -> None:
    """Check that an object has its arguments as attributes of the same name."""
    for name, value in given.items():
        if name in (*OF_KERAS, *consumed):
            continue
        require(
            hasattr(made, name),
            f"the argument `{name}` must be kept as an attribute of that name.",
        )
        kept = getattr(made, name)
        require(
            is_kept(value, kept),
            f"the attribute `{name}` must be the argument. "
            f"Received: {kept!r} for {name}={value!r}.",
        )


def check_refused(
    part: type, arguments: Arguments, bad: dict[str, list[Any]] | None
) -> None:
    """Check that bad arguments are refused, with a message that helps.

    Args:
        part: The class.
        arguments: Good arguments.
        bad: Lists of bad values by the argument's name.

    Raises:
        AssertionError: If one is taken, or the message names neither the
            argument nor what it received.
    """
    for name, values in (bad or {}).items():
        for value in values:
            try:
                part(**{**make_arguments(arguments), name: value})
            except (TypeError, ValueError) as error:
                message = str(error)
            else:
                raise AssertionError(
                    f"{name}={value!r} must be refused with a `ValueError` or "
                    "`TypeError`, and was taken."
                )
            require(
                f"`{name}`" in message and "Received:" in message,
                f"the message for {name}={value!r} must have the form "
                f'"`{name}` must be ... Received: {name}=...". '
                f'Received: "{message}".',
            )


def check_configuration(
    part: type, arguments: Arguments, made: Any = None
) -> None:
    """Check that a Keras object comes back from its configuration.

    Args:
        part: The class, registered for Keras' saving.
        arguments: Its constructor's arguments.
        made: Object to look at, such as a built one, or `None` to make one.

    Raises:
        AssertionError: If an argument is missing or changed.
    """
    given = make_arguments(arguments)
    made = part(**given) if made is None else made
    config = made.get_config()
    for parameter in own_arguments(part):
        require(
            parameter.name in config,
            f"`get_config()` must have the argument `{parameter.name}`. "
            f"Received: {sorted(config)}.",
        )
    text = to_json(config)
    again = part.from_config(copy.deepcopy(config))
    require(
        to_json(again.get_config()) == text,
        "`from_config(get_config())` must give the same configuration. "
        f"Received: {again.get_config()} for {config}.",
    )
    saved = json.loads(json.dumps(keras.saving.serialize_keras_object(made)))
    loaded = keras.saving.deserialize_keras_object(saved)
    require(
        type(loaded) is type(made) and to_json(loaded.get_config()) == text,
        "`keras.saving.deserialize_keras_object` must give the same object "
        f"back. Received: {loaded}. Register the class with "
        "`keras.saving.register_keras_serializable`.",
    )
    plain = {
        name: value
        for name, value in given.items()
        if not isinstance(value, keras.Model)
    }
    check_kept(loaded, plain)


def check_plain_configuration(part: type, arguments: Arguments) -> Any:
    """Check that an object without weights comes back from plain JSON.

    Args:
        part: The class, with `get_config` and maybe `from_config`.
        arguments: Its constructor's arguments.

    Returns:
        The object that was made of the configuration.

    Raises:
        AssertionError: If an argument is missing or changed.
    """
    given = make_arguments(arguments)
    config = part(**given).get_config()
    for parameter in own_arguments(part):
        require(
            parameter.name in config,
            f"`get_config()` must have the argument `{parameter.name}`. "
            f"Received: {sorted(config)}.",
        )
    saved = json.loads(json.dumps(config))
    from_config = getattr(part, "from_config", lambda config: part(**config))
    again = from_config(copy.deepcopy(saved))
    require(
        json.loads(json.dumps(again.get_config())) == saved,
        "an object made of `get_config()` must have the same configuration. "
        f"Received: {again.get_config()} for {config}.",
    )
    check_kept(again, given)
    return again
