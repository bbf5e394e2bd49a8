"""Draw Space Invaders' learning curves with both samplers over each other.

    python docs/results/sampler_curves.py

Reads the histories in `docs/results/space_invaders/` and writes
`samplers.png` there.
"""

import csv
import pathlib

import matplotlib.figure


def points(rows: list[dict], name: str) -> tuple[list[float], list[float]]:
    """Return the steps that have a score, and the scores."""
    known = [row for row in rows if row[name] != "NA"]
    steps = [float(row["environment_steps"]) for row in known]
    return steps, [float(row[name]) for row in known]


folder = pathlib.Path(__file__).parent / "space_invaders"
figure = matplotlib.figure.Figure(figsize=(7, 4.2), layout="constrained")
axes = figure.subplots()
for label, name in (
    ("uniform", "history.csv"),
    ("prioritised", "history_prioritized.csv"),
):
    with open(folder / name, newline="") as file:
        rows = list(csv.DictReader(file))
    (line,) = axes.plot(
        *points(rows, "evaluation_return"),
        label=f"{label}, evaluated on 10 games",
    )
    axes.plot(
        *points(rows, "episode_return"),
        color=line.get_color(),
        linestyle=":",
        label=f"{label}, while learning",
    )
axes.axhline(124, color="gray", linewidth=1, label="random player")
axes.set(
    title="Space Invaders, one run with each sampler",
    xlabel="agent steps (4 frames each)",
    ylabel="score of a game",
)
axes.grid(alpha=0.3)
axes.legend(loc="best")
figure.savefig(folder / "samplers.png", dpi=120)
