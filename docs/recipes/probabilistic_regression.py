"""Regression that knows how sure it is.

What you will see: a line fitted to noisy points, first with one spread for all
of them, then with a spread that grows along the line, and last a curve whose
band widens where there are no data. About a minute on two CPU cores:

    KERAS_BACKEND=tensorflow python docs/recipes/probabilistic_regression.py

    --quick      a run of half a minute that shows all parts
    --steps N    gradient steps for each model, each on all points (default
                 1,500)
    --seed N     seed of everything (default 0)
    --out DIR    where the results go (default runs/probabilistic_regression)

DIR then holds `data.png`, `constant_band.png`, `growing_band.png`,
`reliability.png`, `beyond_the_noise.png`, `history.csv`, `results.json` and
the model with the growing band, `regression.keras`.
"""

import argparse
import json
import pathlib

import keras
import numpy as np
import tensorflow_probability as tfp
from matplotlib import pyplot as plt

import keras_rlkit as rlk

# ## What to run

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawTextHelpFormatter
)
parser.add_argument("--quick", action="store_true")
parser.add_argument("--steps", type=int)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument(
    "--out", type=pathlib.Path, default="runs/probabilistic_regression"
)
options = parser.parse_args()

steps = options.steps or (500 if options.quick else 1_500)
out = options.out
out.mkdir(parents=True, exist_ok=True)
print(f"{steps:,} gradient steps for each model. Results go to {out}/.")
keras.utils.set_random_seed(options.seed)
generator = np.random.default_rng(options.seed)


def save(axes, name, title):
    axes.set(title=title, xlabel="x", ylabel="y")
    axes.figure.savefig(out / name, dpi=120)
    plt.close(axes.figure)


# ## Two data sets on one line
#
# y = 2 x + 3 plus noise: of standard deviation 3 everywhere in the first set,
# and of x / 2 + 2 in the second.

x = np.arange(0, 10, 0.1).reshape(-1, 1)
line = 2 * x + 3
growing_spread = x / 2 + 2
y_constant = line + 3 * generator.normal(size=x.shape)
y_growing = line + growing_spread * generator.normal(size=x.shape)

figure, (left, right) = plt.subplots(
    1, 2, figsize=(10, 4), sharey=True, layout="constrained"
)
for axes, y, title in (
    (left, y_constant, "the same noise everywhere"),
    (right, y_growing, "noise that grows"),
):
    axes.plot(x, y, ".", color="0.3")
    axes.plot(x, line, "k--")
    axes.set(title=title, xlabel="x")
figure.savefig(out / "data.png", dpi=120)
plt.close(figure)


# ## How each model learns
#
# Maximum likelihood: the loss is the negative log likelihood of the targets.
# The learning rate falls to zero, so that the last steps settle.


def fit(model, x, y, learning_rate=0.3, callbacks=()):
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    model.compile(
        keras.optimizers.Adam(schedule),
        loss=rlk.losses.NegativeLogLikelihood(),
        metrics=[
            rlk.metrics.IntervalCoverage(0.95),
            rlk.metrics.ContinuousRankedProbabilityScore(),
        ],
    )
    model.fit(
        x, y, batch_size=len(x), epochs=steps, callbacks=callbacks, verbose=0
    )
    return model


# ## A band of constant width
#
# One number for the spread, learned along with the line. Least squares finds
# the same line, since under this noise it is maximum likelihood too.

constant = keras.Sequential(
    [keras.Input((1,)), rlk.layers.NormalHead(scale="constant")]
)
fit(constant, x, y_constant)
slope, intercept = (
    weight.item() for weight in constant.layers[0].projection.get_weights()
)
least_squares = np.polyfit(x[:, 0], y_constant[:, 0], 1)
spread = constant(x).stddev().numpy()[0, 0]
print(
    f"Constant noise: y = {slope:.3f} x + {intercept:.3f}, spread {spread:.2f}."
    f" Least squares: y = {least_squares[0]:.3f} x + {least_squares[1]:.3f}."
)
save(
    rlk.plots.prediction_band(
        x, constant(x), observations=(x, y_constant), truth=line
    ),
    "constant_band.png",
    "one spread for all",
)

# ## A band that grows
#
# The same head without `scale` predicts the spread from x as well. The model's
# output is a distribution: ask it for whatever you need.

growing = keras.Sequential([keras.Input((1,)), rlk.layers.NormalHead()])
fit(
    growing,
    x,
    y_growing,
    callbacks=[keras.callbacks.CSVLogger(out / "history.csv")],
)
prediction = growing(x)
print("At x = 0 and x = 9.9:")
print("  spread", prediction.stddev().numpy()[[0, -1], 0], "truth [2, 6.95]")
print("  90 % of y below", prediction.quantile(0.9).numpy()[[0, -1], 0])
print("  three samples", prediction.sample(3).numpy()[:, [0, -1], 0].tolist())
save(
    rlk.plots.prediction_band(
        x, prediction, observations=(x, y_growing), truth=line
    ),
    "growing_band.png",
    "a spread that follows x",
)

# ## Is it calibrated?
#
# On fresh data, a share p of the targets should lie below the predicted
# quantile of level p. The model with one spread for all fails on data whose
# noise grows.

fresh_x = generator.uniform(0, 9.9, size=(5_000, 1))
fresh_y = 2 * fresh_x + 3
fresh_y += (fresh_x / 2 + 2) * generator.normal(size=fresh_x.shape)
mistaken = keras.Sequential(
    [keras.Input((1,)), rlk.layers.NormalHead(scale="constant")]
)
fit(mistaken, x, y_growing)
axes = None
for name, model in (("growing", growing), ("constant", mistaken)):
    axes = rlk.plots.reliability_diagram(
        fresh_y, model(fresh_x), label=f"{name} band", axes=axes
    )
axes.figure.savefig(out / "reliability.png", dpi=120)
scores = {
    name: model.evaluate(
        fresh_x, fresh_y, batch_size=1_000, verbose=0, return_dict=True
    )
    for name, model in (("growing", growing), ("constant", mistaken))
}
for name, score in scores.items():
    print(f"{name} band on fresh data:", score)

# ## Beyond the noise
#
# A band can be too narrow for another reason: the model has never seen such an
# x. Several networks, each trained from a start of its own, agree where there
# are data and part where there are none. Dropout left on while predicting
# gives one network many opinions. Either way, the mixture of the predictions
# is a distribution with a band that widens away from the data.


def ensemble(predictions):
    means, spreads = (
        np.stack([getattr(p, name)() for p in predictions], axis=-1)
        for name in ("mean", "stddev")
    )
    return tfp.distributions.MixtureSameFamily(
        tfp.distributions.Categorical(logits=np.zeros_like(means)),
        tfp.distributions.Normal(means, spreads),
    )


def network(dropout=0.0):
    layers = [keras.Input((1,))]
    for _ in range(2):
        layers += [
            keras.layers.Dense(50, activation="relu"),
            keras.layers.Dropout(dropout),
        ]
    return keras.Sequential([*layers, rlk.layers.NormalHead()])


curve_x = np.concatenate(
    [generator.uniform(-3, -1, (60, 1)), generator.uniform(1, 3, (60, 1))]
)
curve_y = np.sin(2 * curve_x) + 0.1 * generator.normal(size=curve_x.shape)
wide_x = np.linspace(-6, 6, 241)[:, None]
num_members = 3 if options.quick else 5
members = [
    fit(network(), curve_x, curve_y, learning_rate=0.01)
    for _ in range(num_members)
]
with_dropout = fit(network(dropout=0.1), curve_x, curve_y, learning_rate=0.01)
beyond = {
    "one network": members[0](wide_x),
    "deep ensemble": ensemble([member(wide_x) for member in members]),
    "dropout while predicting": ensemble(
        [with_dropout(wide_x, training=True) for _ in range(100)]
    ),
}
figure, rows = plt.subplots(
    1, 3, figsize=(14, 4), sharey=True, layout="constrained"
)
near = (np.abs(wide_x) > 1) & (np.abs(wide_x) < 3)
widening = {}
for axes, (name, distribution) in zip(rows, beyond.items()):
    rlk.plots.prediction_band(
        wide_x,
        distribution,
        observations=(curve_x, curve_y),
        truth=np.sin(2 * wide_x),
        axes=axes,
    )
    axes.set(title=name, ylim=(-6, 6))
    spread = np.asarray(distribution.stddev())
    far = np.abs(wide_x) > 5
    widening[name] = float(spread[far].mean() / spread[near].mean())
    print(f"{name}: band {widening[name]:.1f} times as wide far from the data")
figure.savefig(out / "beyond_the_noise.png", dpi=120)

# ## What came of it
#
# The model saves without lambdas and loads in safe mode.

growing.save(out / "regression.keras")
loaded = keras.models.load_model(out / "regression.keras")
np.testing.assert_allclose(loaded(x).stddev(), growing(x).stddev())
results = {
    "seed": options.seed,
    "steps": steps,
    "slope": slope,
    "intercept": intercept,
    "least_squares": least_squares.tolist(),
    "fresh_data": scores,
    "widening": widening,
}
(out / "results.json").write_text(json.dumps(results, indent=2) + "\n")
