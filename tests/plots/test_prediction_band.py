import matplotlib
import numpy as np
import pytest
from scipy import stats

from keras_rlkit import plots

matplotlib.use("Agg")


class Normal:
    """A distribution over (N, 1), on any backend."""

    def __init__(self, mean):
        self.loc = np.asarray(mean)[:, None]

    def mean(self):
        return self.loc

    def quantile(self, probability):
        return self.loc + 2 * stats.norm.ppf(probability)


class WithoutQuantile(Normal):
    def quantile(self, probability):
        raise NotImplementedError

    def sample(self, count):
        noise = np.random.default_rng(0).normal(size=(count, len(self.loc), 1))
        return self.loc + 2 * noise


X = np.array([3.0, 1.0, 2.0])


@pytest.mark.parametrize(
    "kind, tolerance", [(Normal, 1e-6), (WithoutQuantile, 0.6)]
)
def test_bands_mean_truth_and_data(kind, tolerance):
    axes = plots.prediction_band(
        X[:, None],
        kind(10 * X),
        observations=(X[:, None], 11 * X),
        truth=9 * X,
        levels=(0.5, 0.95),
    )
    data, truth, mean = axes.get_lines()
    np.testing.assert_array_equal(
        mean.get_xydata(), [[1, 10], [2, 20], [3, 30]]
    )
    np.testing.assert_array_equal(
        truth.get_xydata(), [[1, 9], [2, 18], [3, 27]]
    )
    np.testing.assert_array_equal(data.get_ydata(), [33, 11, 22])
    wide, narrow = (
        band.get_paths()[0].vertices[:, 1] for band in axes.collections
    )
    for band, half_width in ((wide, 3.919928), (narrow, 1.348980)):
        assert abs(band.max() - (30 + half_width)) < tolerance
        assert abs(band.min() - (10 - half_width)) < tolerance
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["95% band", "50% band", "data", "truth", "predicted mean"]
    # Two layers of the wide band's color where the narrow one lies on it.
    alphas = [patch.get_alpha() for patch in axes.get_legend().get_patches()]
    np.testing.assert_allclose(alphas, [0.2, 0.36])


def test_draws_on_the_axes_given():
    figure = matplotlib.figure.Figure()
    axes = figure.add_subplot()
    assert plots.prediction_band(X, Normal(X), axes=axes) is axes


def test_wrong_arguments():
    with pytest.raises(ValueError, match="3 entries of x and 2 outputs"):
        plots.prediction_band(X, Normal(X[:2]))
    with pytest.raises(ValueError, match="`levels` must be probabilities"):
        plots.prediction_band(X, Normal(X), levels=[95])
