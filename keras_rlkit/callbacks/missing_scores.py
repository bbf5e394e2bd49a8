"""Lets Keras' callbacks read scores that not every epoch has."""

import functools
import inspect
import warnings
from collections.abc import Sequence
from typing import Any

import keras

WAITING = (keras.callbacks.EarlyStopping, keras.callbacks.ReduceLROnPlateau)


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
    of `History` would not tell which epochs their values belong to,
    `ModelCheckpoint(save_best_only=True)` would save an epoch without a score
    over the best one, and those that wait for a better score would warn. Other
    callbacks need no help.

    Args:
        callback: Callback that Keras has just called. It has the names of its
            scores in `score_names`. A warning tells which callbacks stand
            before it and so can't see them.
    """
    names = ()
    for sibling in find_siblings(callback):
        # Each sees the scores of those before it. Hooks are set on the
        # instance, as Keras' own `LambdaCallback` does.
        names += tuple(getattr(sibling, "score_names", ()))
        if isinstance(sibling, keras.callbacks.CSVLogger):
            # `NA` is what Keras writes for a value that isn't there.
            sibling.on_epoch_end = functools.partial(
                _take_whole_row, sibling, names, "NA"
            )
        elif isinstance(sibling, keras.callbacks.History):
            sibling.on_epoch_end = functools.partial(
                _take_whole_row, sibling, names, None
            )
        elif isinstance(sibling, keras.callbacks.ModelCheckpoint):
            by_epoch = sibling.save_freq == "epoch"
            hook = "on_epoch_end" if by_epoch else "on_train_batch_end"
            save = functools.partial(_save_if_scored, sibling, names, hook)
            setattr(sibling, hook, save)
        elif isinstance(sibling, WAITING):
            sibling.on_epoch_end = functools.partial(
                _wait_quietly, sibling, names
            )
        monitor = _monitor(sibling)
        if monitor in callback.score_names and monitor not in names:
            name = type(sibling).__name__
            warnings.warn(
                f"`{name}` watches `{monitor}`, which it never sees: it is "
                f"called before `{type(callback).__name__}` has measured it. "
                f"List `{name}` after `{type(callback).__name__}`.",
                stacklevel=2,
            )


def _monitor(callback: keras.callbacks.Callback) -> str | None:
    """Return what a callback of Keras' watches, if it does."""
    idle = not getattr(callback, "save_best_only", True)
    if idle or not isinstance(
        callback, (keras.callbacks.ModelCheckpoint, *WAITING)
    ):
        return None
    return callback.monitor


def _take_whole_row(
    logger: keras.callbacks.CSVLogger | keras.callbacks.History,
    names: Sequence[str],
    missing: Any,
    epoch: int,
    logs: dict[str, Any] | None = None,
) -> None:
    row = {**dict.fromkeys(names, missing), **(logs or {})}
    type(logger).on_epoch_end(logger, epoch, row)


def _wait_quietly(
    watcher: keras.callbacks.Callback,
    names: Sequence[str],
    epoch: int,
    logs: dict[str, Any] | None = None,
) -> None:
    """Call a callback that doesn't count epochs without its value."""
    if watcher.monitor not in names or watcher.monitor in (logs or {}):
        type(watcher).on_epoch_end(watcher, epoch, logs)
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* which is not available")
        type(watcher).on_epoch_end(watcher, epoch, logs)


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
