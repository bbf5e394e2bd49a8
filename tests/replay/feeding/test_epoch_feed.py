import numpy as np
import pytest

import keras_rlkit as rlk
from tests.replay.episodes import add, new_buffer


def test_padding_keeps_every_mean():
    buffer = new_buffer()
    for step in range(5):
        add(buffer, step, step + 1.0, terminated=True)
    observation, _, weight = buffer.batches(pad=True)[0]
    # Six is the next size after five.
    assert len(observation) == 6
    np.testing.assert_allclose(np.mean(weight * observation[:, 0]), 40 / 5)
    assert np.count_nonzero(weight) == 5
    assert set(observation[:, 0]) == set(range(5))


def test_rows_that_pad_are_told_from_returns_of_zero():
    # 0, 1, 0, -2 and 0, each the return of its own episode; -0.0 marks the
    # row that fills up, whatever the sign of the row that it repeats.
    for sign in (1.0, -1.0):
        buffer = new_buffer()
        for step, reward in enumerate([0.0, 1.0, -0.0, -2.0, 0.0]):
            add(buffer, step, sign * reward, terminated=True)
        weight = buffer.batches(pad=True)[0][2]
        filler = (weight == 0) & np.signbit(weight)
        assert filler.tolist() == [False] * 5 + [True]


@pytest.mark.parametrize("entropy_weight", [0.0, 1.0])
def test_padding_keeps_the_loss_with_its_entropy_bonus(entropy_weight):
    losses = []
    for pad in (False, True):
        buffer = new_buffer()
        for step in range(5):
            add(buffer, step, step - 1.0, terminated=True)
        observation, action, weight = buffer.batches(pad=pad)[0]
        logits = observation * np.array([[1.0, -1.0]], "float32")
        loss = rlk.losses.PolicyGradientLoss(entropy_weight)
        losses.append(float(loss(action, logits, weight)))
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)


def test_shape_of_observations_must_be_known_for_data():
    buffer = rlk.replay.EpisodeBuffer(0.9)
    with pytest.raises(ValueError, match="`observation_shape` must be known"):
        buffer.batches()
    add(buffer, 0, 1.0, terminated=True)
    assert buffer.batches()[0][0].shape == (1, 1)
