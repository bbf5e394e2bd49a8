"""Maximum likelihood by `fit` against least squares and SciPy's optimizer.

    KERAS_BACKEND=tensorflow python \\
        docs/results/probabilistic_regression_study.py

    --steps N    gradient steps for each model, each on all points (default
                 2,000)
    --seeds N    number of seeds (default 10)
    --out DIR    where the tables go (default docs/results)

DIR then holds `probabilistic_regression_line.csv` (first example: slope and
intercept) and `probabilistic_regression_spread.csv` (second example: negative
log likelihood and coverage), one row for each seed.
"""

import argparse
import csv
import pathlib

import keras
import numpy as np
from scipy import optimize, stats

import keras_rlkit as rlk

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawTextHelpFormatter
)
parser.add_argument("--steps", type=int, default=2_000)
parser.add_argument("--seeds", type=int, default=10)
parser.add_argument("--out", type=pathlib.Path, default="docs/results")
options = parser.parse_args()
options.out.mkdir(parents=True, exist_ok=True)


def draw(generator, n, spread):
    x = np.linspace(0, 9.9, n)[:, None]
    return x, 2 * x + 3 + spread(x) * generator.normal(size=x.shape)


def constant_spread(x):
    return 3 * np.ones_like(x)


def growing_spread(x):
    return 0.5 * x + 2


def fit(head, x, y):
    model = keras.Sequential([keras.Input((1,)), head])
    schedule = keras.optimizers.schedules.CosineDecay(0.2, options.steps)
    model.compile(
        keras.optimizers.Adam(schedule),
        loss=rlk.losses.NegativeLogLikelihood(),
        steps_per_execution=50,
    )
    # One epoch of many gradient steps, each on all points.
    import tensorflow as tf

    batches = tf.data.Dataset.from_tensors(
        (x.astype("float32"), y.astype("float32"))
    ).repeat(options.steps)
    model.fit(batches.cache(), epochs=1, verbose=0)
    return model


def best_likelihood(x, y):
    """Smallest mean negative log likelihood of the same family, by SciPy."""

    def objective(parameters):
        slope, intercept, a, b = parameters
        raw = a * x + b + np.log(np.e - 1)
        scale = 1e-3 + np.logaddexp(0, raw)
        mean = slope * x + intercept
        return -stats.norm.logpdf(y, mean, scale).mean()

    starts = [[2, 3, 0.5, 1], [0, 0, 0, 0]]
    results = [
        optimize.minimize(objective, start, method="BFGS") for start in starts
    ]
    return min(result.fun for result in results)


def write(name, rows):
    with open(options.out / name, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    print(name)
    print("| " + " | ".join(rows[0]) + " |")
    print("|" + "---|" * len(rows[0]))
    for row in rows:
        cells = (f"{value:.6g}" for value in row.values())
        print("| " + " | ".join(cells) + " |", flush=True)


line_rows, spread_rows = [], []
for seed in range(options.seeds):
    keras.utils.set_random_seed(seed)
    generator = np.random.default_rng(seed)
    x, y = draw(generator, 100, constant_spread)
    model = fit(rlk.layers.NormalHead(scale="constant"), x, y)
    slope, intercept = (
        weight.item() for weight in model.layers[0].projection.get_weights()
    )
    exact_slope, exact_intercept = np.polyfit(x[:, 0], y[:, 0], 1)
    line_rows.append(
        {
            "seed": seed,
            "slope": slope,
            "least_squares_slope": exact_slope,
            "slope_error_percent": 100 * abs(slope / exact_slope - 1),
            "intercept": intercept,
            "least_squares_intercept": exact_intercept,
            "intercept_error_percent": 100
            * abs(intercept / exact_intercept - 1),
        }
    )
    for n in (100, 10_000):
        x, y = draw(generator, n, growing_spread)
        model = fit(rlk.layers.NormalHead(), x, y)
        loss = float(rlk.losses.NegativeLogLikelihood()(y, model(x)))
        best = best_likelihood(x, y)
        fresh_x, fresh_y = draw(generator, 20_000, growing_spread)
        fresh = model(fresh_x)
        inside = np.abs(fresh_y - fresh.mean()) <= 2 * fresh.stddev()
        spread_rows.append(
            {
                "seed": seed,
                "n": n,
                "negative_log_likelihood": loss,
                "scipy_optimum": best,
                "excess_percent": 100 * (loss / best - 1),
                "two_sd_coverage_percent": 100 * np.mean(inside),
            }
        )
write("probabilistic_regression_line.csv", line_rows)
write("probabilistic_regression_spread.csv", spread_rows)
