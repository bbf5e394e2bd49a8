import subprocess
import sys

import keras
import pytest

import keras_rlkit as rlk

on_tensorflow = keras.backend.backend() == "tensorflow"


@pytest.mark.skipif(on_tensorflow, reason="asks for the error elsewhere")
@pytest.mark.parametrize(
    "make",
    [
        lambda: rlk.layers.NormalHead(),
        lambda: rlk.layers.CategoricalHead(3),
        lambda: rlk.layers.DistributionLambda(lambda t: t),
    ],
)
def test_heads_say_that_they_need_tensorflow(make):
    with pytest.raises(RuntimeError, match="KERAS_BACKEND=tensorflow"):
        make()


def test_import_brings_in_no_optional_package():
    program = (
        "import sys, keras\n"
        "before = set(sys.modules)\n"
        "import keras_rlkit as rlk\n"
        "rlk.layers.NormalHead, rlk.losses.NegativeLogLikelihood()\n"
        "from keras_rlkit import metrics, plots\n"
        "metrics.IntervalCoverage(), plots.prediction_band\n"
        "new = set(sys.modules) - before\n"
        "names = {'tensorflow', 'tensorflow_probability', 'tf_keras'}\n"
        "names |= {'matplotlib'}\n"
        "print(sorted(new & names))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True
    )
    assert result.stdout.strip() == "[]", result.stderr
