"""Draws how a run went, or the mean and spread of several runs."""

import csv
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Files = str | pathlib.Path | Sequence[str | pathlib.Path]


def learning_curve(
    runs: Files | Mapping[str, Files],
    x: str,
    y: Mapping[str, str],
    path: str | pathlib.Path,
    references: Mapping[str, float] | None = None,
    title: str = "",
    x_label: str = "",
    y_label: str = "",
) -> None:
    r"""Draw columns of `keras.callbacks.CSVLogger` files over each other.

    One file gives one line per column, through the epochs that have a value.
    Several files, one for each seed, give the mean as a line and one standard
    deviation as a band; between two of its values a run counts with the
    straight line from one to the other.

    Args:
        runs: Name of one file, or a list of names; or a dictionary of such by
            label, to compare them: labels then stand before those of `y`.
        x: Column on the horizontal axis, e.g. `"environment_steps"`.
        y: Columns to draw, with the label of each.
        path: PNG (or PDF, SVG) file to write.
        references: Horizontal lines to compare with, by label.
        title: Title of the picture.
        x_label: Label of the horizontal axis.
        y_label: Label of the vertical axis.

    Raises:
        ValueError: If there is no file, or one without epochs or without a
            column that is asked for.

    Example:

    ```python
    with open("history.csv", "w") as file:
        file.write("epoch,environment_steps,episode_return\n")
        file.write("0,100,1.0\n1,200,3.0\n")
    rlk.plots.learning_curve(
        "history.csv",
        x="environment_steps",
        y={"episode_return": "while learning"},
        path="learning_curve.png",
    )
    ```
    """
    import matplotlib.figure

    figure = matplotlib.figure.Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    groups = runs if isinstance(runs, Mapping) else {"": runs}
    for group, files in groups.items():
        if isinstance(files, (str, pathlib.Path)):
            files = [files]
        if not files:
            raise ValueError(
                f"`runs` must name at least one file. Received: runs={runs!r}."
            )
        tables = [_read(run, (x, *y)) for run in files]
        for column, label in y.items():
            _draw(axes, tables, x, column, f"{group} {label}".strip())
    for label, value in (references or {}).items():
        axes.axhline(value, color="0.5", linestyle="--", linewidth=1)
        axes.annotate(
            f"{label} {value:.0f}",
            (1, value),
            xycoords=("axes fraction", "data"),
            xytext=(-4, 3),
            textcoords="offset points",
            ha="right",
            color="0.4",
        )
    axes.set(title=title, xlabel=x_label or x, ylabel=y_label)
    axes.grid(alpha=0.3)
    axes.legend(loc="best")
    figure.savefig(path, dpi=120)


def _draw(
    axes: Any, tables: list[dict], x: str, column: str, label: str
) -> None:
    """Draw one column of several runs: their mean and spread."""
    length = min(len(table[x]) for table in tables)
    steps = np.mean([table[x][:length] for table in tables], axis=0)
    # An epoch in which no run has a value has no mean.
    known = ~np.isnan([table[column][:length] for table in tables]).all(axis=0)
    values = np.array(
        [_fill_gaps(table[x], table[column])[:length] for table in tables]
    )
    mean = np.nanmean(values[:, known], axis=0)
    (line,) = axes.plot(steps[known], mean, label=label)
    if len(tables) > 1:
        spread = np.nanstd(values[:, known], axis=0)
        axes.fill_between(
            steps[known],
            mean - spread,
            mean + spread,
            alpha=0.2,
            color=line.get_color(),
            linewidth=0,
        )


def _fill_gaps(x: np.ndarray, values: np.ndarray) -> np.ndarray:
    known = ~np.isnan(values)
    if not known.any():
        return values
    between = np.interp(x, x[known], values[known], left=np.nan, right=np.nan)
    # A file of several trainings, one after the other, goes back in `x`.
    return np.where(known, values, between)


def _read(
    path: str | pathlib.Path, columns: Sequence[str]
) -> dict[str, np.ndarray]:
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise ValueError(
            "`runs` must be files with at least one epoch. "
            f"Received: {str(path)!r}, which has none."
        )
    missing = [name for name in columns if name not in rows[0]]
    if missing:
        raise ValueError(
            f"`x` and `y` must name columns of {str(path)!r}, which has "
            f"{list(rows[0])}. Received: {missing}."
        )
    # `CSVLogger` writes NA for a value that isn't there.
    return {
        name: np.array(
            [np.nan if row[name] == "NA" else float(row[name]) for row in rows]
        )
        for name in columns
    }
