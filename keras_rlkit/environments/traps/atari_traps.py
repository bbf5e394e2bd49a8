"""The traps of Atari environments: frame skip and sticky actions."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from keras_rlkit.environments.atari.atari_environment import AtariEnvironment
from keras_rlkit.environments.traps.finding import Finding
from keras_rlkit.environments.traps.random_actions import random_action
from keras_rlkit.environments.traps.wrapper_layers import first_attribute

# How gymnasium's wrappers, and those of other libraries, call their skip.
SKIP_NAMES = ("frame_skip", "_frame_skip", "_skip", "skip")


def frame_skip(layers: Sequence[Any]) -> Iterator[Finding]:
    """Find a frame skip on top of another.

    Args:
        layers: Wrappers of one environment, outermost first; it is stepped.

    Yields:
        At most one finding.
    """
    own = first_attribute(layers[-1:], "_frameskip")
    if own is None:
        return
    # A pair is a range to draw from, as the first Atari environments had it.
    own = own[-1] - 1 if isinstance(own, tuple) else own
    skips = [own] if own > 1 else []
    for layer in reversed(layers[:-1]):
        skip = first_attribute([layer], *SKIP_NAMES)
        if isinstance(skip, (int, np.integer)) and skip > 1:
            skips.append(int(skip))
    frames = _frames_of_a_step(layers)
    if len(skips) > 1 or frames > own > 1:
        yield Finding(
            "frame skip applied twice",
            f"each step plays {frames} frames of the emulator; the emulator "
            f"itself skips {own}, and a wrapper skips again.",
            "make the game with `frameskip=1`, as in `gymnasium.make(name, "
            "frameskip=1)`, and skip in one wrapper only; or use "
            "`keras_rlkit.environments.atari(game, frame_skip=4)`.",
        )


def sticky_actions(
    environment: Any, layers: Sequence[Any]
) -> Iterator[Finding]:
    """Find sticky actions beside parts of the protocol before them.

    Args:
        environment: The whole environment.
        layers: Wrappers of one environment inside, or an empty list.

    Yields:
        At most one finding.
    """
    if isinstance(environment.unwrapped, AtariEnvironment):
        settings = environment.unwrapped.settings
        probability = settings["sticky_actions"]
        # `atari` draws a number of frames below `noop_max`.
        old = ["random no-ops at the start"] * (settings["noop_max"] > 1)
    elif layers:
        emulator = first_attribute(layers[-1:], "ale")
        if emulator is None:
            return
        probability = emulator.getFloat("repeat_action_probability")
        old = [
            text
            for name, text in {
                "noop_max": "random no-ops at the start",
                "terminal_on_life_loss": "a lost life as the end",
            }.items()
            if first_attribute(layers[:-1], name)
        ]
    else:
        keywords = getattr(environment.spec, "kwargs", {})
        probability = keywords.get("repeat_action_probability", 0)
        old = []
        if keywords.get("noop_max", 30):
            old.append("random no-ops at the start")
        if keywords.get("episodic_life", False):
            old.append("a lost life as the end")
    if probability > 0 and old:
        yield Finding(
            "sticky actions with an old protocol",
            f"the emulator repeats the last action with probability "
            f"{probability:.2f}, beside {' and '.join(old)}: scores compare "
            "with neither the papers before 2018 nor those since.",
            "for the protocol of the DQN, double DQN and dueling papers set "
            "`repeat_action_probability=0` (`sticky_actions=0` of "
            "`keras_rlkit.environments.atari`); for the newer one keep sticky "
            "actions, set `noop_max=0` and end an episode with the game.",
        )


def _frames_of_a_step(layers: Sequence[Any]) -> int:
    outermost, emulator = layers[0], layers[-1].ale
    generator = np.random.default_rng(0)
    outermost.reset(seed=0)
    frames = []
    for _ in range(3):
        before = emulator.getEpisodeFrameNumber()
        action = random_action(outermost.action_space, generator)
        *_, terminated, truncated, _ = outermost.step(action)
        frames.append(emulator.getEpisodeFrameNumber() - before)
        if terminated or truncated:
            break
    return max(frames)
