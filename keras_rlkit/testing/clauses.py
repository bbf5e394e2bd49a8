"""Runs the clauses of a contract, one by one, and says which is broken."""

from collections.abc import Callable
from typing import Any


def require(holds: Any, message: str) -> None:
    """Raise `AssertionError` unless a clause holds.

    Args:
        holds: Whether it does.
        message: What is wrong, and what to do about it.

    Raises:
        AssertionError: If it doesn't.
    """
    if not holds:
        raise AssertionError(message)


def run_clauses(
    part: type,
    clauses: dict[str, Callable[[], None]],
    skip: dict[str, str] | None,
) -> None:
    """Run clauses in their order.

    Args:
        part: The class that is checked, for messages.
        clauses: Functions by the clause's name.
        skip: Names of clauses to leave out, each with the reason.

    Raises:
        AssertionError: If a clause is broken, with its name.
        ValueError: If `skip` names no clause, or gives no reason.
    """
    skip = skip or {}
    for name, reason in skip.items():
        if name not in clauses or not str(reason).strip():
            raise ValueError(
                f"`skip` must give a reason for each clause of {list(clauses)} "
                f"that it names. Received: skip={skip}."
            )
    for name, clause in clauses.items():
        if name in skip:
            continue
        try:
            clause()
        except Exception as error:
            text = str(error)
            if not isinstance(error, AssertionError):
                text = f"{type(error).__name__}: {text}"
            raise AssertionError(
                f"`{part.__name__}` breaks the clause '{name}': {text}"
            ) from error
