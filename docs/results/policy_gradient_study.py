"""Put the runs of one recipe with several seeds together.

    python docs/results/policy_gradient_study.py NAME RUN [RUN ...]

Reads `history.csv` and `results.json` of each RUN, a folder that a recipe
wrote, and writes into `docs/results/policy_gradients/`: `NAME.png`, the
learning curves' mean and standard deviation over the runs; `NAME.csv`, a row
for each run; `NAME_curves.csv`, a row for each run and number of steps.
"""

import argparse
import csv
import json
import pathlib

import matplotlib.figure
import numpy as np

POINTS = 100
COLUMNS = {
    "episode_return": "while learning",
    "evaluation_return": "evaluated, 20 episodes",
}

parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawTextHelpFormatter
)
parser.add_argument("name")
parser.add_argument("runs", nargs="+", type=pathlib.Path)
options = parser.parse_args()
folder = pathlib.Path(__file__).parent / "policy_gradients"
folder.mkdir(exist_ok=True)

results = [
    json.loads((run / "results.json").read_text()) for run in options.runs
]
with open(folder / f"{options.name}.csv", "w", newline="") as file:
    writer = csv.DictWriter(file, results[0])
    writer.writeheader()
    writer.writerows(results)

# Runs differ in the length of their epochs: each is laid on the same steps.
histories = []
for run in options.runs:
    with open(run / "history.csv", newline="") as file:
        histories.append(list(csv.DictReader(file)))


def column(history: list[dict], name: str) -> np.ndarray:
    """Return a column; what isn't there yet is NaN."""
    values = [row[name] for row in history]
    return np.array([np.nan if v in ("NA", "") else float(v) for v in values])


last = min(column(h, "environment_steps")[-1] for h in histories)
steps = np.linspace(0, last, POINTS + 1)[1:]
curves = {name: [] for name in COLUMNS}
for history in histories:
    reached = column(history, "environment_steps")
    for name, lines in curves.items():
        values = column(history, name)
        known = ~np.isnan(values)
        # The last score at or before each number of steps.
        before = np.searchsorted(reached[known], steps, side="right")
        lines.append(np.append(np.nan, values[known])[before])
with open(folder / f"{options.name}_curves.csv", "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["seed", "environment_steps", *COLUMNS])
    for number, result in enumerate(results):
        for point, count in enumerate(steps):
            values = [curves[name][number][point] for name in COLUMNS]
            writer.writerow([result["seed"], round(count), *values])

figure = matplotlib.figure.Figure(figsize=(7, 4.2), layout="constrained")
axes = figure.subplots()
for name, label in COLUMNS.items():
    lines = np.array(curves[name])
    known = ~np.isnan(lines).any(axis=0)
    mean, spread = lines[:, known].mean(0), lines[:, known].std(0)
    (drawn,) = axes.plot(steps[known], mean, label=label)
    axes.fill_between(
        steps[known],
        mean - spread,
        mean + spread,
        alpha=0.2,
        color=drawn.get_color(),
        linewidth=0,
    )
axes.set(
    title=f"{options.name}: mean and deviation of {len(results)} seeds",
    xlabel="environment steps",
    ylabel="return of an episode",
)
axes.grid(alpha=0.3)
axes.legend(loc="best")
figure.savefig(folder / f"{options.name}.png", dpi=120)
scores = [result["evaluation_mean"] for result in results]
print(
    f"{options.name}: {np.mean(scores):.1f}, lowest seed {np.min(scores):.1f}, "
    f"{len(scores)} seeds."
)
