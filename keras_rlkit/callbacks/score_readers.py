"""Lets Keras' callbacks read scores that not every epoch has."""

import functools
import inspect
from collections.abc import Sequence
from typing import Any

import keras


def find_siblings(
    callback: keras.callbacks.Callback,
) -> list[keras.callbacks.Callback]:
    """Return all callbacks of the `fit` that calls a callback, in order.

    Keras tells no callback of the others, so this looks for the list of them
    among those who call.

    Args:
        callback: Callback that Keras has just called.

    Returns:
        The callbacks, itself among them; none where no `fit` calls it.
    """
    frame = inspect.currentframe()
    while frame is not None:
        caller = frame.f_locals.get("self")
        if isinstance(caller, keras.callbacks.CallbackList):
            if callback in caller.callbacks:
                return caller.callbacks
        frame = frame.f_back
    return []


def prepare_score_readers(callback: keras.callbacks.Callback) -> None:
    """Make Keras' callbacks of the same `fit` right for missing scores.

    `CSVLogger` would leave out columns that the first epoch lacks, the lists
    of `History` would not tell which epochs their values belong to, and
    `ModelCheckpoint(save_best_only=True)` would save an epoch without a score
    over the best one. Other callbacks need no help.

    Args:
        callback: Callback that Keras has just called. It has the names of its
            scores in `score_names`.
    """
    names = ()
    for sibling in find_siblings(callback):
        # Each sees the scores of those before it. Hooks are set on the
        # instance, as Keras' own `LambdaCallback` does.
        names += tuple(getattr(sibling, "score_names", ()))
        if isinstance(sibling, keras.callbacks.CSVLogger):
            sibling.on_epoch_end = functools.partial(
                _write_whole_row, sibling, names
            )
        elif isinstance(sibling, keras.callbacks.History):
            sibling.on_epoch_end = functools.partial(
                _append_whole_row, sibling, names
            )
        elif isinstance(sibling, keras.callbacks.ModelCheckpoint):
            by_epoch = sibling.save_freq == "epoch"
            hook = "on_epoch_end" if by_epoch else "on_train_batch_end"
            save = functools.partial(_save_if_scored, sibling, names, hook)
            setattr(sibling, hook, save)


def _write_whole_row(
    logger: keras.callbacks.CSVLogger,
    names: Sequence[str],
    epoch: int,
    logs: dict[str, Any] | None = None,
) -> None:
    # `NA` is what Keras writes for a value that isn't there.
    row = {**dict.fromkeys(names, "NA"), **(logs or {})}
    type(logger).on_epoch_end(logger, epoch, row)


def _append_whole_row(
    history: keras.callbacks.History,
    names: Sequence[str],
    epoch: int,
    logs: dict[str, Any] | None = None,
) -> None:
    type(history).on_epoch_end(history, epoch, logs)
    for name in names:
        values = history.history.get(name, [])
        unscored = [None] * (len(history.epoch) - len(values))
        if name in (logs or {}):
            values[-1:-1] = unscored
        elif values:
            values += unscored


def _save_if_scored(
    checkpoint: keras.callbacks.ModelCheckpoint,
    names: Sequence[str],
    hook: str,
    number: int,
    logs: dict[str, Any] | None = None,
) -> None:
    """Call a hook of a checkpoint, unless a score that it needs is missing."""
    missing = [name for name in names if name not in (logs or {})]
    watched = checkpoint.save_best_only and checkpoint.monitor in missing
    # File names may have scores in them.
    if not watched and not any(
        f"{{{name}" in str(checkpoint.filepath) for name in missing
    ):
        getattr(type(checkpoint), hook)(checkpoint, number, logs)
