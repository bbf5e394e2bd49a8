"""Speed of a distribution head against the same model written by hand.

    KERAS_BACKEND=tensorflow python tests/benchmarks/distribution_heads.py

A heteroscedastic regression (one feature, two hidden layers of 64) is trained
in three ways that compute the same loss: with `NormalHead` and checked
targets, with unchecked targets, and as two plain `Dense` outputs with a
hand-written Gaussian loss. Epochs of the three alternate (A B C A B C ...) in
one process. Of the rates, the first should be at least 0.9 and the last, what
the check of targets leaves, at least 0.95. Processor time is that of all
threads, and says more where other work disturbs.
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
parser.add_argument("--rounds", type=int, default=30)
parser.add_argument("--samples", type=int, default=16_000)
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
    """Return the seconds of wall and of processor time."""
    start = time.perf_counter(), time.process_time()
    model.fit(x, y, batch_size=options.batch_size, verbose=0)
    return time.perf_counter() - start[0], time.process_time() - start[1]


for model, _ in models.values():
    epoch(model)
wall = {name: [] for name in models}
processor = {name: [] for name in models}
for _ in range(options.rounds):
    for name, (model, _) in models.items():
        seconds, of_processor = epoch(model)
        wall[name].append(seconds)
        processor[name].append(of_processor)

steps = -(-options.samples // options.batch_size)


def row(figure, values):
    middle, low, high = statistics.median(values), min(values), max(values)
    digits = f"{middle:.3f} | {low:.3f} to {high:.3f}, n = {len(values)}"
    print(f"| {figure} | {digits} |")


def rate(name, reference):
    # Round by round, so that what slows the machine slows both.
    for times, unit in ((wall, "wall"), (processor, "processor")):
        pairs = zip(times[reference], times[name], strict=True)
        row(
            f"rate of `{name}` / rate of `{reference}`, {unit} time",
            [a / b for a, b in pairs],
        )


print(f"batches of {options.batch_size}, jit_compile={options.jit_compile}")
print("| figure | median | range |")
print("|---|---|---|")
for name, seconds in wall.items():
    row(f"gradient step of `{name}`, ms", [1000 * s / steps for s in seconds])
rate("NormalHead", "plain")
rate("NormalHead, unchecked", "plain")
rate("NormalHead", "NormalHead, unchecked")
