"""Maximum likelihood by `fit` against least squares and SciPy's optimizer.

    KERAS_BACKEND=tensorflow python \\
        docs/results/probabilistic_regression_study.py

    --steps N    gradient steps for each model, each on all points (default
                 4,000)
    --seeds N    number of seeds (default 10)
    --out DIR    where the results go (default
                 docs/results/probabilistic_regression)

DIR then holds `line.csv` (first example: slope and intercept) and `spread.csv`
(second example: negative log likelihood and coverage), a row for each model,
and `study.png`.
"""

import argparse
import csv
import pathlib
import time

import keras
import matplotlib.figure
import numpy as np
import tensorflow as tf
from scipy import optimize, stats

import keras_rlkit as rlk

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawTextHelpFormatter
)
parser.add_argument("--steps", type=int, default=4_000)
parser.add_argument("--seeds", type=int, default=10)
parser.add_argument(
    "--out",
    type=pathlib.Path,
    default=pathlib.Path(__file__).parent / "probabilistic_regression",
)
options = parser.parse_args()
options.out.mkdir(parents=True, exist_ok=True)
start = time.time()


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
    everything = tf.data.Dataset.from_tensors(
        (x.astype("float32"), y.astype("float32"))
    )
    model.fit(everything.repeat(options.steps), shuffle=False, verbose=0)
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


def percent(value, reference):
    return 100 * abs(value / reference - 1)


def write(name, rows):
    with open(options.out / name, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


# ## First example: the line, with the spread known or learned along with it

lines, spreads, drawn = [], [], {100: [], 10_000: []}
for seed in range(options.seeds):
    generator = np.random.default_rng(seed)
    x, y = draw(generator, 100, constant_spread)
    exact_slope, exact_intercept = np.polyfit(x[:, 0], y[:, 0], 1)
    for scale in (1.0, "constant"):
        keras.utils.set_random_seed(seed)
        model = fit(rlk.layers.NormalHead(scale=scale), x, y)
        slope, intercept = (
            weight.item() for weight in model.layers[0].projection.get_weights()
        )
        lines.append(
            {
                "seed": seed,
                "scale": scale,
                "slope": slope,
                "least_squares_slope": exact_slope,
                "slope_error_percent": percent(slope, exact_slope),
                "intercept": intercept,
                "least_squares_intercept": exact_intercept,
                "intercept_error_percent": percent(intercept, exact_intercept),
            }
        )

    # ## Second example: a spread that grows

    for n in drawn:
        keras.utils.set_random_seed(seed)
        x, y = draw(generator, n, growing_spread)
        model = fit(rlk.layers.NormalHead(), x, y)
        loss = float(rlk.losses.NegativeLogLikelihood()(y, model(x)))
        best = best_likelihood(x, y)
        fresh_x, fresh_y = draw(generator, 20_000, growing_spread)
        fresh = model(fresh_x)
        inside = np.abs(fresh_y - fresh.mean()) <= 2 * fresh.stddev()
        drawn[n].append(fresh.stddev().numpy()[::100, 0])
        spreads.append(
            {
                "seed": seed,
                "n": n,
                "negative_log_likelihood": loss,
                "scipy_optimum": best,
                "excess_percent": 100 * (loss / best - 1),
                "two_sd_coverage_percent": 100 * np.mean(inside),
            }
        )
    print(f"seed {seed} after {time.time() - start:.0f} s", flush=True)
write("line.csv", lines)
write("spread.csv", spreads)

# ## Summary and picture

for name in ("slope", "intercept"):
    worst = max(row[f"{name}_error_percent"] for row in lines)
    print(f"largest error of the {name}: {worst:.3g} %")
figure = matplotlib.figure.Figure(figsize=(10, 4), layout="constrained")
left, right = figure.subplots(1, 2)
grid = fresh_x[::100, 0]
for (n, curves), color in zip(drawn.items(), ("0.6", "tab:blue")):
    rows = [row for row in spreads if row["n"] == n]
    excess = [row["excess_percent"] for row in rows]
    coverage = [row["two_sd_coverage_percent"] for row in rows]
    print(
        f"n = {n:,}: likelihood {min(excess):.2g} to {max(excess):.2g} % above "
        f"the optimum; 2 sd hold {min(coverage):.1f} to {max(coverage):.1f} %, "
        f"mean {np.mean(coverage):.1f} %"
    )
    lines_of_n = left.plot(grid, np.transpose(curves), color=color, lw=1)
    lines_of_n[0].set_label(f"fitted to {n:,} points")
    right.plot(
        [row["seed"] for row in rows],
        coverage,
        "o",
        color=color,
        label=f"fitted to {n:,} points",
    )
left.plot(grid, growing_spread(grid), "k--", label="truth")
left.set(
    title=f"predicted spread, {options.seeds} seeds",
    xlabel="x",
    ylabel="standard deviation",
    ylim=(0, None),
)
right.axhspan(93, 97, color="tab:green", alpha=0.15, label="95 +- 2 %")
right.axhline(100 * (2 * stats.norm.cdf(2) - 1), color="k", ls="--")
right.set(
    title="fresh targets within two standard deviations",
    xlabel="seed",
    ylabel="%",
)
for axes in (left, right):
    axes.legend(frameon=False)
figure.savefig(options.out / "study.png", dpi=120)
