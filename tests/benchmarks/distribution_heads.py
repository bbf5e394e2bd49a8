"""Speed of a distribution head against the same model written by hand.

    KERAS_BACKEND=tensorflow python tests/benchmarks/distribution_heads.py

A heteroscedastic regression (one feature, two hidden layers of 64) is trained
in three ways that compute the same loss: with `NormalHead` and checked
targets, with unchecked targets, and as two plain `Dense` outputs with a
hand-written Gaussian loss. Epochs of the three alternate (A B C A B C ...) in
one process; the table shows medians. Rates are relative to the plain model.
"""

import argparse
import statistics
import time

import keras
import numpy as np
from keras import ops

import keras_rlkit as rlk

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawTextHelpFormatter
)
parser.add_argument("--rounds", type=int, default=15)
parser.add_argument("--samples", type=int, default=32_000)
parser.add_argument("--batch_size", type=int, default=32)
parser.add_argument("--jit_compile", action="store_true")
options = parser.parse_args()

generator = np.random.default_rng(0)
x = generator.uniform(0, 10, size=(options.samples, 1)).astype("float32")
y = 2 * x + 3 + (0.5 * x + 2) * generator.normal(size=x.shape)
y = y.astype("float32")


def features(inputs):
    for _ in range(2):
        inputs = keras.layers.Dense(64, activation="relu")(inputs)
    return inputs


def head(check_targets):
    inputs = keras.Input((1,))
    model = keras.Model(inputs, rlk.layers.NormalHead()(features(inputs)))
    loss = rlk.losses.NegativeLogLikelihood(check_targets=check_targets)
    return model, loss


def gaussian(y_true, y_pred):
    mean, raw = y_pred[:, :1], y_pred[:, 1:]
    scale = 1e-3 + ops.softplus(raw + np.log(np.e - 1))
    z = (y_true - mean) / scale
    return 0.5 * z**2 + ops.log(scale) + 0.5 * np.log(2 * np.pi)


def plain():
    inputs = keras.Input((1,))
    hidden = features(inputs)
    outputs = [keras.layers.Dense(1)(hidden), keras.layers.Dense(1)(hidden)]
    return keras.Model(inputs, ops.concatenate(outputs, axis=-1)), gaussian


models = {
    "plain": plain(),
    "NormalHead": head(check_targets=True),
    "NormalHead, unchecked": head(check_targets=False),
}
for model, loss in models.values():
    model.compile("adam", loss=loss, jit_compile=options.jit_compile)


def epoch(model):
    start = time.perf_counter()
    model.fit(x, y, batch_size=options.batch_size, verbose=0)
    return time.perf_counter() - start


for model, _ in models.values():
    epoch(model)
times = {name: [] for name in models}
for _ in range(options.rounds):
    for name, (model, _) in models.items():
        times[name].append(epoch(model))

steps = -(-options.samples // options.batch_size)
print(
    f"{options.rounds} rounds, {steps} steps of {options.batch_size} samples, "
    f"jit_compile={options.jit_compile}"
)
print("| model | ms per step, median | steps/s | rate |")
print("|---|---|---|---|")
for name, seconds in times.items():
    # Round by round, so that what slows the machine slows both.
    rate = statistics.median(
        a / b for a, b in zip(times["plain"], seconds, strict=True)
    )
    median = statistics.median(seconds) / steps
    print(f"| {name} | {1000 * median:.3f} | {1 / median:.0f} | {rate:.3f} |")
