"""The traps of episodes: rewards of huge scale and hidden time limits."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_rlkit.environments.finding import Finding
from keras_rlkit.environments.vector_adapter import VectorAdapter
from keras_rlkit.environments.wrappers import random_action

# With a discount of 0.99, Q values are up to a hundred times a reward.
HUGE_REWARD = 500.0
# So many episodes of exactly one length are no coincidence,
EPISODES = 3
# if they are not as short as those of a bandit.
SHORTEST_LIMIT = 10


class Play(NamedTuple):
    """What a random player saw.

    Attributes:
        largest_observation: Largest absolute value in an observation.
        largest_reward: Largest absolute reward of a step.
        lengths: Lengths in steps of the episodes that terminated and weren't
            truncated.
        truncations: Number of episodes that were truncated.
    """

    largest_observation: float
    largest_reward: float
    lengths: list[int]
    truncations: int


def play(adapter: VectorAdapter, steps: int, seed: int) -> Play:
    """Play at random.

    Args:
        adapter: The environments.
        steps: Environment steps, of all environments together.
        seed: Seed of the environments and of the player.

    Returns:
        What was seen.
    """
    generator = np.random.default_rng(seed)
    space = adapter.action_space
    first = int(getattr(space, "start", 0)) if space.shape == () else 0
    observation = adapter.reset(seed)
    largest = float(np.abs(observation).max(initial=0))
    reward, lengths, truncations = 0.0, [], 0
    length = np.zeros(adapter.num_envs, int)
    for _ in range(-(-steps // adapter.num_envs)):
        actions = [
            random_action(space, generator) for _ in range(adapter.num_envs)
        ]
        step = adapter.step(np.array(actions) - first)
        length += step.valid
        largest = max(largest, float(np.abs(step.next_observation).max()))
        reward = max(reward, float(np.abs(step.reward).max()))
        ended = step.valid & (step.terminated | step.truncated)
        truncations += int((ended & step.truncated).sum())
        lengths += length[ended & ~step.truncated].tolist()
        length[ended] = 0
    return Play(largest, reward, lengths, truncations)


def huge_rewards(seen: Play) -> Iterator[Finding]:
    """Find rewards that no usual learning rate is made for.

    Args:
        seen: What a random player saw.

    Yields:
        At most one finding.
    """
    if seen.largest_reward > HUGE_REWARD:
        yield Finding(
            "rewards of huge scale",
            f"a single step brought a reward of {seen.largest_reward:g}; "
            "Q values and value losses grow with it, and gradients explode.",
            "divide the rewards, `gymnasium.wrappers.TransformReward("
            "environment, lambda r: r / scale)`, or clip them for learning "
            "only, `CollectSteps(..., reward_range=(-1, 1))`, which still logs "
            "the true return.",
        )


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
