"""Counts how often an environment is played, whoever plays it."""

import functools
from collections.abc import Callable
from typing import Any

from keras_rlkit.environments.copies.part_kinds import is_environment
from keras_rlkit.environments.copies.parts_inside import environments_inside

PLAYED_BY = ("reset", "step")


class Calls:
    """A number of calls.

    Attributes:
        count: Calls so far.
    """

    def __init__(self) -> None:
        self.count = 0


class CountedCall:
    """A method that counts its calls.

    Args:
        method: Bound method of an environment. Copies of the environment call
            their own.
        calls: What counts.
    """

    def __init__(self, method: Callable, calls: Calls):
        functools.update_wrapper(self, method)
        self._calls = calls

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the method."""
        self._calls.count += 1
        return self.__wrapped__(*args, **kwargs)


def environments_of(environment: Any) -> dict[int, Any]:
    """Return all environments that one plays in: wrappers and what is inside.

    Args:
        environment: `gymnasium.Env` or `gymnasium.vector.VectorEnv`.

    Returns:
        Environments by their identity.
    """
    found: dict[int, Any] = {}
    to_see = [environment]
    while to_see:
        part = to_see.pop()
        if id(part) not in found:
            found[id(part)] = part
            to_see += _environments_held(part)
    return found


def count_calls(environment: Any) -> list[Calls]:
    """Begin to count the calls of an environment's `reset` and `step`.

    Those inside all wrappers are counted, so that no call is missed, through
    whatever wrapper it comes.

    Args:
        environment: `gymnasium.Env` or `gymnasium.vector.VectorEnv`.

    Returns:
        What counts; usually a single object for all environments of a vector.
    """
    new = Calls()
    counting: dict[int, Calls] = {}
    for core in environments_of(environment).values():
        # What is made of others is played when they are; but one may also hold
        # another only to look something up.
        if environments_inside(core):
            continue
        known = vars(core).get("step")
        if isinstance(known, CountedCall):
            counting[id(known._calls)] = known._calls
            continue
        counting[id(new)] = new
        for name in PLAYED_BY:
            vars(core)[name] = CountedCall(getattr(core, name), new)
    return list(counting.values())


def _environments_held(environment: Any) -> list[Any]:
    found = []
    for part in vars(environment).values():
        if type(part) is dict:
            part = list(part.values())
        parts = part if type(part) in (list, tuple) else [part]
        found += [item for item in parts if is_environment(item)]
    return found
