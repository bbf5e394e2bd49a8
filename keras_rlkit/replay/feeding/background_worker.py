"""Draws batches in the background, reproducibly."""

import concurrent.futures
from collections.abc import Callable
from typing import Any


class BackgroundWorker:
    """Runs jobs one after another in one thread of its own.

    What makes drawing ahead reproducible: whoever takes a batch hands in the
    next draw, and whoever is about to change what is drawn from calls `settle`
    first. Which state a draw sees then depends on the order of the calls alone,
    never on the speed of a thread.
    """

    def __init__(self) -> None:
        self._executor: concurrent.futures.Executor | None = None
        self._jobs: list[concurrent.futures.Future] = []

    def submit(
        self, job: Callable[..., Any], *arguments: Any
    ) -> concurrent.futures.Future:
        """Hand in a job; the result or error comes out of the future."""
        if self._executor is None:
            self._executor = concurrent.futures.ThreadPoolExecutor(
                1, "keras_rlkit-replay"
            )
        future = self._executor.submit(job, *arguments)
        self._jobs.append(future)
        return future

    def settle(self) -> None:
        """Wait until every job handed in has run."""
        if self._jobs:
            concurrent.futures.wait(self._jobs)
            self._jobs.clear()
