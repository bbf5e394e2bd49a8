from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_rlkit.plots.axes import check_axes

_NUM_SAMPLES = 1000
_ALPHA = 0.2


def prediction_band(
    x: Any,
    distribution: Any,
    observations: tuple | None = None,
    truth: Any = None,
    levels: Sequence[float] = (0.5, 0.95),
    axes: Any = None,
) -> Any:
    """Draw a predicted mean and the bands that should hold the targets.

    Bands are central intervals. Their ends are the distribution's quantiles
    or, where it has none, those of 1,000 samples.

    Args:
        x: Array of N numbers, or `(N, 1)`: where the predictions were made.
        distribution: The prediction there, a distribution over `(N,)` or
            `(N, 1)`, such as `model(x)`.
        observations: Optional pair `(x, y)` of arrays of any length, drawn as
            points.
        truth: Optional array of N numbers, the true mean.
        levels: Probabilities of the bands, numbers in (0, 1).
        axes: Matplotlib axes to draw on. Defaults to new ones.

    Returns:
        The matplotlib axes.

    Raises:
        ValueError: If sizes don't agree or a level is out of its range.

    Example:

    ```python
    model = keras.Sequential([keras.Input((1,)), rlk.layers.NormalHead()])
    x = np.linspace(0, 1, 50)[:, None]
    axes = rlk.plots.prediction_band(x, model(x))
    axes.figure.savefig("band.png")
    ```
    """
    levels = [float(level) for level in levels]
    if not all(0 < level < 1 for level in levels):
        raise ValueError(
            "`levels` must be probabilities above 0 and below 1. "
            f"Received: levels={levels}."
        )
    x = np.ravel(x)
    mean = np.ravel(distribution.mean())
    if len(mean) != len(x):
        raise ValueError(
            "`distribution` must have one output for each entry of `x`. "
            f"Received: {len(x)} entries of x and {len(mean)} outputs."
        )
    axes = check_axes(axes)
    order = np.argsort(x)
    tails = [(1 - level) / 2 for level in levels]
    ends = _quantiles(distribution, tails + [1 - tail for tail in tails])
    # Wide bands first, so that narrow ones lie on top of them.
    for index in np.argsort(levels)[::-1]:
        lower, upper = ends[index], ends[index + len(levels)]
        axes.fill_between(
            x[order],
            lower[order],
            upper[order],
            color="tab:blue",
            alpha=_ALPHA,
            linewidth=0,
            label=f"{levels[index]:.0%} band",
        )
    if observations is not None:
        at, y = (np.ravel(values) for values in observations)
        axes.plot(at, y, ".", color="0.3", markersize=3, label="data")
    if truth is not None:
        axes.plot(x[order], np.ravel(truth)[order], "k--", label="truth")
    axes.plot(x[order], mean[order], color="tab:blue", label="predicted mean")
    legend = axes.legend(frameon=False)
    # Bands lie on top of each other: show the color that comes of it.
    patches = legend.get_patches()
    for number, patch in enumerate(patches[len(patches) - len(levels) :]):
        patch.set_alpha(1 - (1 - _ALPHA) ** (number + 1))
    return axes


def _quantiles(distribution, probabilities):
    """Return one row `(N,)` for each probability."""
    try:
        rows = [distribution.quantile(float(p)) for p in probabilities]
    except (AttributeError, NotImplementedError):
        samples = np.asarray(distribution.sample(_NUM_SAMPLES))
        rows = np.quantile(samples, probabilities, axis=0)
    return [np.ravel(row) for row in rows]
