import keras
import numpy as np
import pytest
from scipy import stats

from keras_rlkit.ops import predicted_samples

pytestmark = pytest.mark.tensorflow_only


def tfd():
    import tensorflow_probability as tfp

    return tfp.distributions


def counts():
    """Distributions of counts, and the same ones of SciPy."""
    d = tfd()
    return {
        "poisson": (d.Poisson([0.2, 30.0]), stats.poisson([0.2, 30.0])),
        "negative_binomial": (
            d.NegativeBinomial([0.1, 5.0], probs=[0.9, 0.2]),
            stats.nbinom([0.1, 5.0], [0.1, 0.8]),
        ),
        "binomial": (
            d.Binomial(10.0, probs=[0.3, 0.9]),
            stats.binom(10, [0.3, 0.9]),
        ),
    }


@pytest.mark.parametrize("name", ["poisson", "negative_binomial", "binomial"])
def test_counts_are_drawn_as_often_as_they_are_likely(name):
    distribution, right = counts()[name]
    samples = predicted_samples.draw(
        np.zeros(2, "float32"), distribution, 20_000, seed=[1, 2]
    )
    assert samples.shape == (20_000, 2)
    for count in (0, 1, 2, 9, 30):
        share = np.mean(np.array(samples) <= count, axis=0)
        # Four standard errors of a share.
        np.testing.assert_allclose(share, right.cdf(count), atol=0.0142)


def test_samples_of_unknown_parameters_are_nan():
    samples = predicted_samples.draw(
        np.zeros(2, "float32"), tfd().Poisson([np.nan, 1.0]), 3, seed=[1, 2]
    )
    assert np.isnan(samples).tolist() == [[True, False]] * 3


def test_one_sample_under_xla_for_batches_of_any_size():
    import tensorflow as tf

    @tf.function(
        jit_compile=True,
        input_signature=[tf.TensorSpec([None, 1], "float32")],
    )
    def draw(rate):
        even = tfd().Categorical(logits=tf.zeros_like(rate[..., None] + [0, 0]))
        parts = [tfd().Poisson(rate), tfd().NegativeBinomial(rate, probs=0.5)]
        return predicted_samples.draw_one(
            tfd().Independent(tfd().Mixture(even, parts), 1)
        )

    keras.utils.set_random_seed(0)
    samples = draw(np.full((50, 1), 4.0, "float32"))
    assert samples.shape == (50, 1)
    # Both parts have a mean of 4, and a variance of 8 at most.
    np.testing.assert_allclose(np.mean(samples), 4.0, atol=1.6)
