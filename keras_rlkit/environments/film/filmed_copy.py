"""A second environment to film, beside the one that is played in."""

import dataclasses
import warnings
from typing import Any

from keras_rlkit.environments.adapters.as_vector import as_vector
from keras_rlkit.environments.adapters.vector_adapter import VectorAdapter
from keras_rlkit.environments.atari.atari_environment import AtariEnvironment
from keras_rlkit.environments.copies.part_kinds import (
    is_fixed,
    is_plain_object,
)
from keras_rlkit.environments.copies.rebuilt_wrappers import wrap_again
from keras_rlkit.environments.copies.wrapper_state import take_over
from keras_rlkit.environments.copies.wrappers_around import wrappers_of
from keras_rlkit.environments.film.colour_atari import (
    ColourAtari,
)


def filmed_copy(environment: Any, seed: int | None = None) -> VectorAdapter:
    """Make a second environment of the same kind whose `render` gives frames.

    It has the same wrappers around the single environment and around the
    vector, save those that only show or record. What these keep from one
    episode to the next, such as running statistics, is as it is now in
    `environment`. What the environment inside the wrappers keeps by itself,
    such as the level of a curriculum, begins anew.

    Args:
        environment: `atari(...)`, or a gymnasium environment that was made by
            name; single or vector, adapted by `as_vector` or not.
        seed: Seed of the copy's episodes.

    Returns:
        A `VectorAdapter` of one environment. Atari shows the console's own
        colours and resolution, whatever the agent sees.

    Raises:
        ValueError: If the environment or one of its wrappers can't be made
            again.

    Example:

    ```python
    environment = rlk.environments.atari("space_invaders", num_envs=8)
    film = rlk.environments.filmed_copy(environment)
    film.reset()
    film.render().shape  # (210, 160, 3)
    ```
    """
    import gymnasium

    environment = as_vector(environment)
    original = environment.environment
    several = isinstance(original, gymnasium.vector.VectorEnv)
    core = original.unwrapped if several else original
    around = [
        wrapper
        for wrapper in wrappers_of(original)
        if isinstance(wrapper, gymnasium.vector.VectorWrapper)
    ]
    if isinstance(core, AtariEnvironment):
        copy: VectorAdapter = ColourAtari(core, around, seed)
        left_out: list[str] = []
    else:
        made, left_out = _make_single(core)
        if around:
            single = made
            made = gymnasium.vector.SyncVectorEnv(
                [lambda: single], autoreset_mode=environment._autoreset_mode
            )
        copy = as_vector(
            wrap_again(around, made), environment.reads_action_masks
        )
        if seed is not None:
            copy.reset(seed=seed)
    left_out += take_over(copy, environment)
    if left_out:
        warnings.warn(
            "What is filmed differs from what is played: the copy can't take "
            f"over {', '.join(left_out)}, and has its own. Hand over an "
            "environment to film to decide by yourself.",
            stacklevel=2,
        )
    return copy


def _make_single(core: Any) -> tuple[Any, list[str]]:
    """Make one environment, like a single one or like the first of a vector.

    Returns it, and the names of its wrappers whose state isn't to be seen.
    """
    import gymnasium

    inside = getattr(core, "envs", None)
    single = inside[0] if inside else core
    spec = getattr(single.unwrapped, "spec", None)
    if spec is None:
        raise ValueError(
            "`environment` must have a `spec` to be made a second time. "
            f"Received: environment={core!r}. Make it with "
            "`gymnasium.make` or `gymnasium.make_vec`, or hand over an "
            "environment to film."
        )
    if isinstance(single, gymnasium.Env):
        arguments = {**spec.kwargs, "render_mode": "rgb_array"}
        made = gymnasium.make(dataclasses.replace(spec, kwargs={}), **arguments)
        return wrap_again(wrappers_of(single), made), []
    made = _make_by_name(spec)
    gathering = [w for w in wrappers_of(made) if _gathers(w)]
    return made, [type(wrapper).__name__ for wrapper in gathering]


def _gathers(wrapper: Any) -> bool:
    """Whether a wrapper holds an object, such as running statistics."""
    import gymnasium

    return any(
        is_plain_object(part)
        and not isinstance(part, (gymnasium.Space, gymnasium.Env))
        and not is_fixed(part)
        and not callable(part)
        for part in vars(wrapper).values()
    )


def _make_by_name(spec: Any) -> Any:
    """Make one environment from the spec of `make_vec`."""
    import gymnasium

    arguments = dict(spec.kwargs)
    for name in ("num_envs", "vectorization_mode", "vector_kwargs"):
        arguments.pop(name, None)
    wrappers = arguments.pop("wrappers", ())
    arguments["render_mode"] = "rgb_array"
    # `max_episode_steps` counts only as an argument, not in a spec's `kwargs`.
    spec = dataclasses.replace(spec, kwargs={})
    environment = gymnasium.make(spec, **arguments)
    for wrapper in wrappers:
        environment = wrapper(environment)
    return environment
