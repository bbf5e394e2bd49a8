"""The traps of episodes: their rewards, their ends and their lives."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_rlkit.environments.adapters.base_adapter import VectorAdapter
from keras_rlkit.environments.traps.finding import Finding
from keras_rlkit.environments.traps.observation_traps import (
    EPISODES,
    ObservationWatch,
)
from keras_rlkit.environments.traps.wrapper_layers import random_action

# With a discount of 0.99, Q values are up to a hundred times a reward.
HUGE_REWARD = 500.0
# Episodes of one length show no limit if they are as short as a bandit's.
SHORTEST_LIMIT = 10
# In fewer steps nothing is said of what did not happen. Where something did
# not, the player goes on for at most so many times the steps.
ENOUGH_STEPS = 100
PATIENCE = 10


class Play(NamedTuple):
    """What a random player saw.

    Attributes:
        watch: What was noted of the observations.
        steps: Environment steps played, of all environments together.
        largest_reward: Largest absolute reward of a step.
        paid: Whether any reward was not 0.
        lengths: Lengths in steps of the episodes that terminated and weren't
            truncated.
        truncations: Number of episodes that were truncated.
        lives_left: Most lives left where an episode terminated with the loss
            of one, or began with fewer than at first; 0 if none did.
    """

    watch: ObservationWatch
    steps: int
    largest_reward: float
    paid: bool
    lengths: list[int]
    truncations: int
    lives_left: int


def play(
    adapter: VectorAdapter, steps: int, seed: int, limited: bool = True
) -> Play:
    """Play at random.

    Args:
        adapter: The environments.
        steps: Environment steps, of all environments together. From
            `ENOUGH_STEPS` on, they are up to `PATIENCE` times as many while no
            reward has come, or no episode has ended that has no limit.
        seed: Seed of the environments and of the player.
        limited: Whether episodes have a limit. Defaults to `True`.

    Returns:
        What was seen.
    """
    generator = np.random.default_rng(seed)
    space = adapter.action_space
    first = int(getattr(space, "start", 0)) if space.shape == () else 0
    watch = ObservationWatch(adapter.observation_space, adapter.reset(seed))
    reward, paid, lengths, truncations, played = 0.0, False, [], 0, 0
    length = np.zeros(adapter.num_envs, int)
    lives_left, lives, full = 0, adapter.lives, adapter.lives
    longest = steps * PATIENCE if steps >= ENOUGH_STEPS else steps
    while played < steps or (
        played < longest and not (paid and (limited or lengths or truncations))
    ):
        played += adapter.num_envs
        actions = [
            random_action(space, generator) for _ in range(adapter.num_envs)
        ]
        step = adapter.step(np.array(actions) - first)
        length += step.valid
        watch.step(step)
        reward = max(reward, float(np.abs(step.reward).max()))
        paid |= bool((step.reward[step.valid] != 0).any())
        ended = step.valid & (step.terminated | step.truncated)
        truncations += int((ended & step.truncated).sum())
        lengths += length[ended & ~step.truncated].tolist()
        length[ended] = 0
        at_once = step.observation is not step.next_observation
        lives_left = max(
            lives_left,
            _fewer(step.next_lives, lives, ended & step.terminated),
            _fewer(step.lives, full, ended if at_once else ~step.valid),
        )
        lives = step.lives
    return Play(watch, played, reward, paid, lengths, truncations, lives_left)


def _fewer(
    lives: np.ndarray | None, before: np.ndarray | None, rows: np.ndarray
) -> int:
    if lives is None or before is None:
        return 0
    return int(lives[rows & (lives < before)].max(initial=0))


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


def no_reward(seen: Play) -> Iterator[Finding]:
    """Find an environment in which nothing is ever rewarded.

    Args:
        seen: What a random player saw.

    Yields:
        At most one finding.
    """
    if not seen.paid and seen.steps >= ENOUGH_STEPS:
        yield Finding(
            "no reward seen",
            f"every reward of {seen.steps:,} random steps was 0: either the "
            "environment pays for nothing, or so rarely that exploring at "
            "random hardly ever finds it.",
            "see that the reward is returned, and that no wrapper rounds or "
            "clips it away; if it is that rare, reward steps towards the goal, "
            "or begin episodes near it.",
        )


def no_end(limited: bool, seen: Play) -> Iterator[Finding]:
    """Find episodes that nothing ends.

    Args:
        limited: Whether a time limit is known.
        seen: What a random player saw.

    Yields:
        At most one finding.
    """
    ends = len(seen.lengths) + seen.truncations
    if not limited and not ends and seen.steps >= ENOUGH_STEPS:
        yield Finding(
            "episodes without an end",
            f"no episode ended in {seen.steps:,} random steps, and there is "
            "no time limit: there is no score, and collecting or evaluating "
            "whole episodes may never return.",
            "set a limit, `gymnasium.wrappers.TimeLimit(environment, "
            "max_episode_steps=1_000)` around each single environment.",
        )


def lives_as_episodes(seen: Play) -> Iterator[Finding]:
    """Find episodes that end with a life instead of the game.

    Args:
        seen: What a random player saw.

    Yields:
        At most one finding.
    """
    if seen.lives_left:
        yield Finding(
            "a lost life ends the episode",
            f"an episode ended with {seen.lives_left} lives left: returns and "
            "lengths are those of a life, and compare with no published score.",
            "leave the wrapper out that ends an episode with a life, and let "
            "learning alone see it, `CollectSteps(..., "
            "terminal_on_life_loss=True)`, which logs the score of the game.",
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
