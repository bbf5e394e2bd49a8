"""Regression that knows how sure it is.

What you will see: a line fitted to noisy points, first with one spread for all
of them, then with a spread that grows along the line, and last a curve whose
band widens where there are no data. It is the system of the tutorial "Bayes
Theorem, maximum likelihood estimation and TensorFlow Probability" of Adventures
in Machine Learning, with that tutorial's defects cured. About a minute on two
CPU cores:

    KERAS_BACKEND=tensorflow python docs/recipes/probabilistic_regression.py

    --quick      a run of a third of a minute that shows all parts, but whose
                 growing band has not settled yet
    --steps N    gradient steps for each of the models, each on all points
                 (default 3,000)
    --seed N     seed of everything (default 0)
    --out DIR    where the results go (default runs/probabilistic_regression)

DIR then holds `data.png`, `constant_band.png`, `growing_band.png`,
`reliability.png`, `beyond_the_noise.png`, `history.csv`, `results.json` and
the model with the growing band, `regression.keras`.
"""

import argparse
import json
import pathlib
import time

import keras
import numpy as np
import tensorflow as tf
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
if keras.backend.backend() != "tensorflow":
    raise SystemExit(
        "TensorFlow is needed for distribution heads: set "
        "KERAS_BACKEND=tensorflow."
    )

steps = options.steps or (1_500 if options.quick else 3_000)
num_members = 2 if options.quick else 5
out = options.out
out.mkdir(parents=True, exist_ok=True)
minutes = (num_members + 4) * (0.03 + steps / 50_000)
print(
    f"Fitting {num_members + 4} models in {steps:,} gradient steps each, seed "
    f"{options.seed}: about {minutes:.1f} minutes on two CPU cores. "
    f"Results go to {out}/."
)
keras.utils.set_random_seed(options.seed)
generator = np.random.default_rng(options.seed)
start = time.time()


def save(axes, name, title):
    axes.set(title=title, xlabel="x", ylabel="y")
    axes.figure.savefig(out / name, dpi=120, bbox_inches="tight")
    plt.close(axes.figure)


# ## Two data sets on one line
#
# y = 2 x + 3 plus noise: of standard deviation 3 everywhere in the first set,
# and of x / 2 + 2 in the second.

x = np.arange(0, 10, 0.1, dtype="float32")[:, None]


def line(x):
    return 2 * x + 3


def growing_spread(x):
    return x / 2 + 2


y_constant = line(x) + 3 * generator.normal(size=x.shape)
y_growing = line(x) + growing_spread(x) * generator.normal(size=x.shape)

figure, panels = plt.subplots(
    1, 2, figsize=(10, 4), sharey=True, layout="constrained"
)
for axes, y, title in (
    (panels[0], y_constant, "the same noise everywhere"),
    (panels[1], y_growing, "noise that grows"),
):
    axes.plot(x, y, ".", color="0.3", label="data")
    axes.plot(x, line(x), "k--", label="truth")
    axes.set(title=title, xlabel="x", ylabel="y")
    axes.legend(frameon=False)
figure.savefig(out / "data.png", dpi=120)
plt.close(figure)

# ## How each model learns
#
# Maximum likelihood: the loss is the negative log likelihood of the targets.
# The learning rate falls to zero, so that the last steps settle. Fewer steps
# find the line but not yet its spread.


def fit(model, x, y, learning_rate=0.2, callbacks=()):
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    model.compile(
        keras.optimizers.Adam(schedule),
        loss=rlk.losses.NegativeLogLikelihood(),
        metrics=[rlk.metrics.IntervalCoverage(0.95)],
        steps_per_execution=10,
    )
    # Every batch is the whole set; an epoch is a tenth of the steps.
    everything = tf.data.Dataset.from_tensors((x, y))
    model.fit(
        everything.repeat(max(1, steps // 10)),
        epochs=10,
        callbacks=callbacks,
        shuffle=False,
        verbose=0,
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
        x, constant(x), observations=(x, y_constant), truth=line(x)
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
truth = growing_spread(x)[[0, -1], 0]
print("At x = 0 and x = 9.9:")
print("  spread", prediction.stddev().numpy()[[0, -1], 0], "truth", truth)
print("  90 % of y below", prediction.quantile(0.9).numpy()[[0, -1], 0])
print("  three samples", prediction.sample(3).numpy()[:, [0, -1], 0].tolist())
save(
    rlk.plots.prediction_band(
        x, prediction, observations=(x, y_growing), truth=line(x)
    ),
    "growing_band.png",
    "a spread that follows x",
)

# ## Is it calibrated?
#
# On fresh data, a share p of the targets should lie below the predicted
# quantile of level p. A model with one spread for all gets this right on
# average at best: its band is too wide where there is little noise and too
# narrow where there is much.

mistaken = keras.Sequential(
    [keras.Input((1,)), rlk.layers.NormalHead(scale="constant")]
)
fit(mistaken, x, y_growing)
models = {"growing band": growing, "constant band": mistaken}
figure, panels = plt.subplots(
    1, 2, figsize=(9, 5), sharey=True, layout="compressed"
)
fresh_data = {}
for axes, (low, high) in zip(panels, ((0, 3), (7, 9.9))):
    fresh_x = generator.uniform(low, high, size=(5_000, 1))
    fresh_y = line(fresh_x)
    fresh_y += growing_spread(fresh_x) * generator.normal(size=fresh_x.shape)
    axes.set(title=f"fresh points from x = {low} to {high}", aspect="equal")
    for name, model in models.items():
        rlk.plots.reliability_diagram(
            fresh_y, model(fresh_x), label=name, axes=axes
        )
        scores = model.evaluate(
            fresh_x, fresh_y, batch_size=1_000, verbose=0, return_dict=True
        )
        fresh_data[f"{name}, x from {low} to {high}"] = scores
        print(
            f"{name}, x from {low} to {high}: the 95 % band holds "
            f"{scores['interval_coverage']:.1%} of fresh data."
        )
figure.savefig(out / "reliability.png", dpi=120)
plt.close(figure)

# ## Beyond the noise
#
# A band can be too narrow for another reason: the model has never seen such an
# x. Several networks, each trained from a start of its own, agree where there
# are data and part where there are none. Dropout left on while predicting
# gives one network many opinions. Either way, a normal distribution with the
# mean and the variance of all predictions together has a band that widens away
# from the data (Lakshminarayanan et al., "Simple and scalable predictive
# uncertainty estimation using deep ensembles", 2017, section 2.4; Gal and
# Ghahramani, "Dropout as a Bayesian approximation", 2016).


def ensemble(predictions):
    means = np.stack([prediction.mean() for prediction in predictions])
    variances = np.stack([prediction.variance() for prediction in predictions])
    total_variance = variances.mean(axis=0) + means.var(axis=0)
    return tfp.distributions.Normal(means.mean(axis=0), total_variance**0.5)


def network(dropout=0.0):
    layers = [keras.Input((1,))]
    for _ in range(2):
        layers += [
            keras.layers.Dense(100, activation="relu"),
            keras.layers.Dropout(dropout),
        ]
    return keras.Sequential([*layers, rlk.layers.NormalHead()])


def curve(x):
    return x + np.sin(2 * x)


curve_x = np.concatenate(
    [generator.uniform(-3, -1, (60, 1)), generator.uniform(1, 3, (60, 1))]
)
curve_y = curve(curve_x) + 0.1 * generator.normal(size=curve_x.shape)
members = [
    fit(network(), curve_x, curve_y, learning_rate=0.01)
    for _ in range(num_members)
]
with_dropout = fit(network(dropout=0.2), curve_x, curve_y, learning_rate=0.01)

wide_x = np.linspace(-5, 5, 401)[:, None]
beyond = {
    "one network": members[0](wide_x),
    "deep ensemble": ensemble([member(wide_x) for member in members]),
    "dropout while predicting": ensemble(
        [with_dropout(wide_x, training=True) for _ in range(200)]
    ),
}
distance = np.abs(wide_x)
places = {
    "data": (distance > 1) & (distance < 3),
    "gap": distance < 0.75,
    "outside": distance > 4,
}
figure, panels = plt.subplots(
    1, 3, figsize=(14, 4.5), sharey=True, layout="constrained"
)
spreads = {}
for axes, (name, distribution) in zip(panels, beyond.items()):
    rlk.plots.prediction_band(
        wide_x,
        distribution,
        observations=(curve_x, curve_y),
        truth=curve(wide_x),
        axes=axes,
    )
    axes.set(title=name, xlabel="x", ylabel="y", ylim=(-9, 9))
    stddev = np.asarray(distribution.stddev())
    spreads[name] = {
        place: float(stddev[where].mean()) for place, where in places.items()
    }
    print(f"{name}: mean spread", spreads[name])
figure.savefig(out / "beyond_the_noise.png", dpi=120)
plt.close(figure)

# ## What came of it
#
# The model saves without lambdas and loads in safe mode.

growing.save(out / "regression.keras")
loaded = keras.models.load_model(out / "regression.keras", safe_mode=True)
np.testing.assert_array_equal(loaded(x).stddev(), growing(x).stddev())
wall_minutes = (time.time() - start) / 60
results = {
    "seed": options.seed,
    "gradient_steps": steps,
    "wall_minutes": round(wall_minutes, 2),
    "slope": slope,
    "intercept": intercept,
    "least_squares": least_squares.tolist(),
    "fresh_data": fresh_data,
    "spreads": spreads,
}
(out / "results.json").write_text(json.dumps(results, indent=2) + "\n")
ratio = spreads["deep ensemble"]["outside"] / spreads["deep ensemble"]["data"]
print(
    f"The ensemble's band is {ratio:.1f} times as wide outside the data as "
    f"among them. All of it took {wall_minutes:.1f} minutes."
)
