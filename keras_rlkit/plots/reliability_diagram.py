from typing import Any

import numpy as np
from keras import ops

from keras_rlkit.ops.calibration import quantile_hit
from keras_rlkit.ops.prediction_checks import check_target_shape
from keras_rlkit.ops.prediction_scores import probability_integral_transform
from keras_rlkit.plots.axes import check_axes
from keras_rlkit.utils import check_positive_integer


def reliability_diagram(
    y_true: Any,
    distribution: Any,
    num_levels: int = 19,
    label: str | None = None,
    axes: Any = None,
) -> Any:
    """Draw how many targets lie below the predicted quantiles of each level.

    Calibrated predictions follow the diagonal. A curve flatter than it in the
    middle, above it on the left and below it on the right, means that the
    distributions are too narrow; a steeper one, that they are too wide.

    Args:
        y_true: Targets, exactly of the distribution's shape.
        distribution: The predictions, a distribution with a `cdf`, such as
            `model(x)`. Several outputs are looked at one by one.
        num_levels: Positive integer, the number of levels L. They are
            1 / (L + 1), ..., L / (L + 1).
        label: Optional string, the name of the curve in the legend.
        axes: Matplotlib axes to draw on, for one curve over another. Defaults
            to new ones.

    Returns:
        The matplotlib axes.

    Raises:
        ValueError: If shapes don't agree, `num_levels` is not a positive
            integer, or the distribution function of single outputs isn't
            known.

    Example:

    ```python
    model = keras.Sequential([keras.Input((1,)), rlk.layers.NormalHead()])
    x = np.linspace(0, 1, 50)[:, None]
    axes = rlk.plots.reliability_diagram(2 * x, model(x))
    axes.figure.savefig("reliability.png")
    ```
    """
    num_levels = check_positive_integer("num_levels", num_levels)
    y_true = ops.convert_to_tensor(y_true)
    check_target_shape(y_true, distribution)
    below, up_to = probability_integral_transform(y_true, distribution)
    levels = np.arange(1, num_levels + 1) / (num_levels + 1)
    hits = quantile_hit(below, up_to, ops.cast(levels, below.dtype))
    shares = np.mean(np.reshape(hits, (-1, num_levels)), axis=0)
    axes = check_axes(axes)
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    axes.plot(levels, shares, "o-", markersize=3, label=label)
    axes.set_xlabel("level of the predicted quantile")
    axes.set_ylabel("share of targets below it")
    if label is not None:
        axes.legend(frameon=False)
    return axes
