"""Plays at random, and notes what the traps are found by."""

from typing import NamedTuple

import numpy as np

from keras_rlkit.environments.adapters.vector_adapter import VectorAdapter
from keras_rlkit.environments.traps.observation_watch import (
    ObservationWatch,
)
from keras_rlkit.environments.traps.random_actions import random_batch

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
    space, num_envs = adapter.action_space, adapter.num_envs
    watch = ObservationWatch(adapter.observation_space, adapter.reset(seed))
    reward, paid, lengths, truncations, played = 0.0, False, [], 0, 0
    length = np.zeros(adapter.num_envs, int)
    lives_left, lives, full = 0, adapter.lives, adapter.lives
    longest = steps * PATIENCE if steps >= ENOUGH_STEPS else steps
    while played < steps or (
        played < longest and not (paid and (limited or lengths or truncations))
    ):
        played += adapter.num_envs
        actions = random_batch(space, generator, num_envs, adapter.action_mask)
        step = adapter.step(actions)
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
