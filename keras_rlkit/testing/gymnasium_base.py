"""Environments that are gymnasium's once they are made, and not before."""

import functools
from typing import Any


class LazyEnvironment:
    """Base of environments; the class of their objects is a `gymnasium.Env`.

    gymnasium is imported with the first environment, not with the package.
    """

    def __new__(cls, *arguments: Any, **options: Any) -> "LazyEnvironment":
        """Make an object whose class is a `gymnasium.Env` too."""
        return object.__new__(_with_gymnasium_base(cls))

    def __reduce__(self) -> tuple:
        """Pickle by the class that modules know."""
        return _make_empty, (type(self).__mro__[1],), self.__dict__


def _make_empty(cls: type) -> object:
    return object.__new__(_with_gymnasium_base(cls))


@functools.cache
def _with_gymnasium_base(cls: type) -> type:
    from gymnasium import Env

    if issubclass(cls, Env):
        return cls
    names = {"__doc__": cls.__doc__, "__module__": cls.__module__}
    return type(cls.__name__, (cls, Env), names)
