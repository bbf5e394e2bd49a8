"""The trap of a time limit that looks like an end."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from keras_rlkit.environments.traps.finding import Finding
from keras_rlkit.environments.traps.observation_watch import (
    EPISODES,
)
from keras_rlkit.environments.traps.random_actions import random_action
from keras_rlkit.environments.traps.random_play import (
    Play,
)

# Episodes of one length show no limit if they are as short as a bandit's.
SHORTEST_LIMIT = 10


def hidden_time_limit(
    layers: Sequence[Any], limit: int | None, seen: Play
) -> Iterator[Finding]:
    """Find a time limit that ends episodes as if they had terminated.

    Args:
        layers: Wrappers of one environment, or an empty list; it is stepped.
        limit: Steps of an episode that the environment is registered with,
            or `None`.
        seen: What a random player saw.

    Yields:
        At most one finding.
    """
    what = _limit_in_wrappers(layers, limit) or _limit_in_play(limit, seen)
    if what:
        yield Finding(
            "time limit hidden as terminal",
            what,
            "let the environment return `truncated=True` and "
            "`terminated=False` at its limit, as `gymnasium.wrappers."
            "TimeLimit(environment, max_episode_steps)` around it does, and "
            "don't join the two flags into one `done`.",
        )


def _limit_in_wrappers(layers: Sequence[Any], limit: int | None) -> str | None:
    from gymnasium.wrappers import TimeLimit

    if not layers:
        return None
    wrapper = next((x for x in layers if isinstance(x, TimeLimit)), None)
    if wrapper is None:
        if limit is None:
            return None
        return (
            f"the environment is registered with a limit of {limit} steps, "
            "but its `TimeLimit` wrapper is missing: episodes have no end but "
            "a terminal one."
        )
    if wrapper is layers[0] or not hasattr(wrapper, "_elapsed_steps"):
        return None
    # Waiting for the limit could take long: the clock is put forward.
    outermost = layers[0]
    outermost.reset(seed=0)
    wrapper._elapsed_steps = wrapper._max_episode_steps - 1
    action = random_action(outermost.action_space, np.random.default_rng(0))
    _, _, terminated, truncated, _ = outermost.step(action)
    if truncated:
        return None
    return (
        f"at the limit of {wrapper._max_episode_steps} steps the environment "
        f"returns terminated={bool(terminated)} and truncated=False: the "
        "values of the states there lose their bootstrap."
    )


def _limit_in_play(limit: int | None, seen: Play) -> str | None:
    if not seen.lengths:
        return None
    longest = max(seen.lengths)
    alike = len(set(seen.lengths)) == 1 and not seen.truncations
    if longest == limit or (
        alike and len(seen.lengths) >= EPISODES and longest >= SHORTEST_LIMIT
    ):
        return (
            f"{seen.lengths.count(longest)} of {len(seen.lengths)} terminated "
            f"episodes lasted {longest} steps exactly, and none was truncated "
            "there: this looks like a time limit."
        )
    return None
