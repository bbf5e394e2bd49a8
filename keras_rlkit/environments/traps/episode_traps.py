"""The traps of episodes: their rewards, their ends and their lives."""

from collections.abc import Iterator

from keras_rlkit.environments.traps.finding import Finding
from keras_rlkit.environments.traps.random_play import (
    ENOUGH_STEPS,
    Play,
)

# With a discount of 0.99, Q values are up to a hundred times a reward.
HUGE_REWARD = 500.0


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
