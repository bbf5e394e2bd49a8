"""The checks of what `atari` is given, before the emulator sees it."""

import difflib
from typing import Any

import numpy as np

from keras_rlkit.utils import (
    check_choice,
    check_fraction,
    check_non_negative_integer,
    check_positive_integer,
)

# ale-py keeps the seed of each game in a signed 32-bit integer.
SEED_LIMIT = 2**31


def check_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of `atari` as plain Python values, or raise.

    Args:
        settings: All arguments of `atari` by their names.

    Returns:
        A new dictionary with the same keys.

    Raises:
        ValueError: If an argument is unknown or out of its range.
    """
    unknown = sorted(set(settings) - set(_CHECKS) - {"seed"})
    if unknown:
        raise ValueError(
            f"Settings must be among {[*_CHECKS, 'seed']}. "
            f"Received: {', '.join(unknown)}."
        )
    checked = {
        name: check(name, settings[name]) for name, check in _CHECKS.items()
    }
    seed = settings["seed"]
    checked["seed"] = (
        None if seed is None else check_seed(seed, checked["num_envs"])
    )
    return checked


def check_seed(seed: int, num_envs: int) -> int:
    """Return `seed` as an `int`, or raise if ale-py can't take it.

    Args:
        seed: Non-negative integer; game `i` gets `seed + i`.
        num_envs: Number of games.

    Returns:
        A Python integer.

    Raises:
        ValueError: If it isn't one, or the seed of a game is too large.
    """
    seed = check_non_negative_integer("seed", seed)
    if seed + num_envs > SEED_LIMIT:
        raise ValueError(
            f"`seed` must be at most {SEED_LIMIT - num_envs} with "
            f"num_envs={num_envs}. Received: seed={seed}."
        )
    return seed


def check_seeds(seed: Any, num_envs: int) -> np.ndarray:
    """Return one seed for each game, or raise if ale-py can't take one.

    Args:
        seed: As in `check_seed`, or a list, tuple or array with a seed for
            each game.
        num_envs: Number of games.

    Returns:
        int64 array [num_envs].

    Raises:
        ValueError: If there isn't one for each game, or one is no integer in
            [0, 2**31).
    """
    if not isinstance(seed, (list, tuple, np.ndarray)):
        return check_seed(seed, num_envs) + np.arange(num_envs)
    if np.shape(seed) != (num_envs,):
        raise ValueError(
            "`seed` must be one integer, or one for each of the "
            f"{num_envs} games. Received: seed={seed!r}."
        )
    return np.array([check_seed(one, 1) for one in seed])


def _check_game(name: str, game: str) -> str:
    from ale_py.roms import get_all_rom_ids

    games = get_all_rom_ids()
    if game not in games:
        close = difflib.get_close_matches(str(game).lower(), games)
        raise ValueError(
            f"`{name}` must be the name of a game of ale-py, in snake_case. "
            f"Received: {name}={game!r}. "
            + (
                f"Close to it: {close}."
                if close
                else "`ale_py.roms.get_all_rom_ids()` lists them."
            )
        )
    return game


def _check_image_size(name: str, size: tuple[int, int]) -> tuple[int, int]:
    if not isinstance(size, (tuple, list)) or len(size) != 2:
        raise ValueError(
            f"`{name}` must be two positive integers, height and width. "
            f"Received: {name}={size!r}."
        )
    return tuple(
        check_positive_integer(f"{name}[{axis}]", length)
        for axis, length in enumerate(size)
    )


def _check_flag(name: str, flag: bool) -> bool:
    return bool(check_choice(name, flag, (False, True)))


_CHECKS = {
    "game": _check_game,
    "num_envs": check_positive_integer,
    "image_size": _check_image_size,
    "frame_stack": check_positive_integer,
    "frame_skip": check_positive_integer,
    "sticky_actions": check_fraction,
    "noop_max": check_non_negative_integer,
    "max_episode_frames": check_positive_integer,
    "full_action_space": _check_flag,
    "grayscale": _check_flag,
    "num_threads": check_non_negative_integer,
}
