"""Under `tf.distribute`, replicas take the step that one device takes."""

import subprocess
import sys

import numpy as np
import pytest

PROGRAM = """
import sys
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, two)
import contextlib
import keras
import numpy as np
import keras_rlkit as rlk

x = np.arange(16, dtype="float32").reshape(8, 2) / 8
y = x[:, :1] * 3
for num_devices in (1, 2):
    scope = contextlib.nullcontext()
    if num_devices == 2:
        scope = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope()
    keras.utils.set_random_seed(0)
    with scope:
        model = keras.Sequential([keras.Input((2,)), rlk.layers.NormalHead()])
        model.compile(
            keras.optimizers.SGD(0.1), loss=rlk.losses.NegativeLogLikelihood()
        )
    history = model.fit(x, y, batch_size=8, shuffle=False, verbose=0).history
    weights = [number for w in model.get_weights() for number in w.ravel()]
    print("RESULT", history["loss"][0], *weights)
"""


@pytest.mark.tensorflow_only
def test_two_replicas_take_the_step_of_one_device():
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True
    )
    assert process.returncode == 0, process.stderr[-3000:]
    one, two = (
        [float(word) for word in line.split()[1:]]
        for line in process.stdout.splitlines()
        if line.startswith("RESULT")
    )
    assert len(one) == 7
    np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-5)
