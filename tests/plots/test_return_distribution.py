import keras
import matplotlib
import numpy as np
import pytest

import keras_rlkit as rlk
from tests.models.test_distributional import (
    ONLINE,
    categorical,
    quantile,
    softmax,
)

matplotlib.use("Agg")


def test_curves_are_the_cumulative_distributions():
    axes = rlk.plots.return_distribution(categorical(), 0, ["a", "b"])
    curves = axes.get_lines()
    probabilities = softmax(ONLINE[0])
    for action in range(2):
        values, heights = curves[2 * action].get_data()
        assert values.tolist() == [0, 1, 2]
        np.testing.assert_allclose(
            heights, np.cumsum(probabilities[action]), rtol=1e-5
        )
        mean = curves[2 * action + 1].get_xdata()[0]
        assert mean == pytest.approx(probabilities[action] @ np.arange(3))
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["a", "b"]


def test_quantiles_are_put_in_order():
    axes = rlk.plots.return_distribution(quantile(), 1)
    values, heights = axes.get_lines()[0].get_data()
    assert values.tolist() == [0, 2, 4]
    np.testing.assert_allclose(heights, [1 / 6, 0.5, 5 / 6], rtol=1e-6)


def test_what_does_not_fit():
    with pytest.raises(ValueError, match="`action_names` must have a name"):
        rlk.plots.return_distribution(quantile(), 0, ["a"])
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="`agent` must learn distributions"):
        rlk.plots.return_distribution(
            rlk.models.DoubleDQN(network), np.zeros(2)
        )
