"""Reports the traps that people fall into with environments."""

import contextlib
from typing import Any

import numpy as np

from keras_rlkit.environments.adapters.as_vector import as_vector
from keras_rlkit.environments.traps.atari_traps import (
    frame_skip,
    sticky_actions,
)
from keras_rlkit.environments.traps.episode_traps import (
    huge_rewards,
    lives_as_episodes,
    no_end,
    no_reward,
)
from keras_rlkit.environments.traps.finding import Finding
from keras_rlkit.environments.traps.image_traps import (
    channel_order,
    is_image,
    unscaled,
)
from keras_rlkit.environments.traps.observation_traps import (
    false_end,
    not_finite,
    outside_space,
)
from keras_rlkit.environments.traps.random_play import play
from keras_rlkit.environments.traps.time_limit_traps import hidden_time_limit
from keras_rlkit.environments.traps.time_limits import (
    is_limited,
    registered_limit,
)
from keras_rlkit.environments.traps.wrapper_layers import layers_inside
from keras_rlkit.utils import (
    check_non_negative_integer,
    check_positive_integer,
    leaf_spaces,
)


def check(
    environment: Any, steps: int = 1_000, seed: int = 0, verbose: bool = True
) -> list[Finding]:
    """Report the traps in an environment that spoil learning in silence.

    Call it once, before training. It looks at the wrappers and plays at
    random for a while, and then resets the environment. These are found:

    - Frame skip applied twice: `ALE/...-v5` games skip four frames by
      themselves, and a wrapper skips again.
    - Sticky actions with an old protocol: random no-ops or lost lives as ends,
      which papers used before there were sticky actions.
    - Unscaled images: floats in 0..255.
    - Channel order: channels or stacked frames on the first axis.
    - Observations or rewards that are NaN or infinite.
    - Observations outside their space.
    - Final observations lost: every episode ends with what the next one begins
      with.
    - Rewards of huge scale: a single one above 500.
    - No reward but 0.
    - Time limits hidden as terminals: the `TimeLimit` wrapper is missing, or
      its `truncated` doesn't arrive, or all episodes terminate after exactly
      as many steps.
    - Episodes without an end: none ended, and no time limit is known.
    - Lost lives as ends: there are lives left where an episode ends.

    What a network does with observations can't be seen from here: uint8 images
    are right in the environment and need `keras.layers.Rescaling(1 / 255)` at
    the start of the network, as the report says. Limits beyond `steps` and
    what a random player never meets aren't seen either.

    Args:
        environment: A `gymnasium.Env`, a `gymnasium.vector.VectorEnv`, what
            `atari` gives, or a `VectorAdapter`.
        steps: Positive integer, environment steps to play, up to ten times as
            many while there was no reward, or no end where there is no limit.
            Below 100 nothing is said of these two. Defaults to 1,000.
        seed: Non-negative integer, seed of the environment and of the random
            player. Defaults to 0.
        verbose: Whether to print the report. Defaults to `True`.

    Returns:
        A list of `Finding`s, empty if no trap was seen.

    Raises:
        ValueError: If the environment isn't one, or another argument is out
            of its range.

    Example:

    ```python
    environment = rlk.environments.atari(
        "space_invaders", sticky_actions=0.25, seed=0
    )
    findings = rlk.environments.check(environment)
    print([finding.trap for finding in findings])
    # ['sticky actions with an old protocol']
    ```

    Reference:
        Machado et al., "Revisiting the Arcade Learning Environment", 2018,
        sections 4 and 5 (protocols): https://arxiv.org/abs/1709.06009;
        Pardo et al., "Time Limits in Reinforcement Learning", 2018, section
        2: https://arxiv.org/abs/1712.00378
    """
    steps = check_positive_integer("steps", steps)
    seed = check_non_negative_integer("seed", seed)
    adapter = as_vector(environment)
    environment = adapter.environment
    arrays = leaf_spaces(adapter.observation_space)
    layers, made = layers_inside(environment)
    limit = registered_limit(environment)
    limited = is_limited(environment, layers)
    with contextlib.closing(layers[0]) if made else contextlib.nullcontext():
        seen = play(adapter, steps, seed, limited)
        findings = [
            *(frame_skip(layers) if layers else ()),
            *sticky_actions(environment, layers),
            *not_finite(seen.watch),
            *outside_space(seen.watch),
            *(
                finding
                for path, space in arrays
                for finding in (
                    *unscaled(
                        path,
                        space.shape,
                        space.dtype,
                        seen.watch.largest[path],
                    ),
                    *channel_order(path, space.shape),
                )
            ),
            *false_end(seen.watch),
            *huge_rewards(seen),
            *no_reward(seen),
            *hidden_time_limit(layers, limit, seen),
            *no_end(limited, seen),
            *lives_as_episodes(seen),
        ]
    adapter.reset(seed)
    if verbose:
        bytes_seen = any(
            is_image(space.shape) and space.dtype == np.uint8
            for _, space in arrays
        )
        _print(findings, seen.steps, bytes_seen)
    return findings


def _print(findings: list[Finding], steps: int, bytes_seen: bool) -> None:
    if findings:
        print(f"`check` found {len(findings)} trap(s) in the environment:")
        for number, finding in enumerate(findings, 1):
            print(f"{number}. {finding}")
    else:
        print(f"`check` found no trap in the environment ({steps:,} steps).")
    if bytes_seen:
        print(
            "Observations are uint8 images: begin the network with "
            "`keras.layers.Rescaling(1 / 255)`. Whether it does can't be seen "
            "in the environment."
        )
