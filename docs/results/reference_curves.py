"""Draw learning curves beside published scores, from the tables beside them.

    python docs/results/reference_curves.py

The pictures go to `docs/results/references/`, that of the runs on a GPU to
`docs/results/space_invaders_gpu/`. Published numbers: Dopamine's
data (1 M frames = 250,000 agent steps), the papers 1509.06461 and 1511.06581,
the Stable-Baselines3 zoo and CleanRL. The Stable-Baselines3 curve on Space
Invaders was measured on a machine of the same kind, one seed.
"""

import csv
import pathlib

import matplotlib.figure
import numpy as np

from keras_rlkit.plots import learning_curve

HERE = pathlib.Path(__file__).parent
OUT = HERE / "references"
SB3_STEPS = [50_000, 100_000, 150_000, 200_000, 250_000, 300_000]
SB3_SCORES = [204, 204, 196, 258, 267, 226]


def column(path: pathlib.Path, name: str) -> np.ndarray:
    """Return a column of a `CSVLogger` file, NaN where it has no value."""
    with open(path, newline="") as file:
        return np.array(
            [
                np.nan if row[name] in ("NA", "nan") else float(row[name])
                for row in csv.DictReader(file)
            ]
        )


def axes(title: str, x_label: str, y_label: str) -> tuple:
    """Return an empty figure and its axes."""
    figure = matplotlib.figure.Figure(figsize=(8, 4.8), layout="constrained")
    axes = figure.subplots()
    axes.set(title=title, xlabel=x_label, ylabel=y_label)
    axes.grid(alpha=0.3, which="both")
    return figure, axes


def line(axes, value: float, label: str) -> None:
    """Draw a published score that belongs to no point of the axis."""
    axes.axhline(value, color="0.45", linestyle="--", linewidth=1)
    axes.annotate(
        f"{label}: {value:,}",
        (0.01, value),
        xycoords=("axes fraction", "data"),
        xytext=(0, 3),
        textcoords="offset points",
        color="0.35",
        fontsize=8.5,
    )


def space_invaders() -> None:
    """Draw the run on Space Invaders, on a logarithmic scale."""
    figure, plot = axes(
        "Space Invaders beside published scores",
        "agent steps (4 frames each)",
        "score of a game (logarithmic)",
    )
    run = HERE / "space_invaders" / "history.csv"
    steps = column(run, "environment_steps")
    scores = column(run, "evaluation_return")
    # The log of that run repeats a score until the next evaluation.
    new = np.flatnonzero(~np.isnan(scores) & (np.diff(scores, prepend=0) != 0))
    plot.plot(steps[new], scores[new], "o-", label="keras_rlkit, 10 games each")
    plot.plot(
        SB3_STEPS, SB3_SCORES, "s-", label="Stable-Baselines3 DQN, run by us"
    )
    plot.errorbar(
        [250_000],
        [176],
        yerr=8,
        fmt="D",
        capsize=4,
        label="DQN at 1 M frames (Dopamine, 5 seeds, sticky)",
    )
    line(plot, 148, "random")
    line(plot, 1_652, "human")
    line(plot, 2_526, "double DQN at 200 M frames")
    line(plot, 6_427, "dueling double DQN at 200 M frames")
    plot.set_yscale("log")
    plot.set_ylim(100, 12_000)
    ticks = [100, 200, 500, 1_000, 2_000, 5_000, 10_000]
    plot.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
    plot.minorticks_off()
    plot.xaxis.set_major_formatter("{x:,.0f}")
    plot.legend(loc="center left", bbox_to_anchor=(0, 0.47), fontsize=9)
    figure.savefig(OUT / "space_invaders.png", dpi=130)


def cartpole() -> None:
    """Draw the runs on CartPole, mean and spread over seeds."""
    figure, plot = axes(
        "CartPole-v1 beside published scores",
        "environment steps",
        "return of an episode",
    )
    runs = sorted((HERE / "cartpole_dqn").glob("history_[0-9].csv"))
    steps = np.mean([column(run, "environment_steps") for run in runs], axis=0)
    for name, label in {
        "evaluation_return": "keras_rlkit, greedy",
        "episode_return": "keras_rlkit, while learning",
    }.items():
        values = np.array([column(run, name) for run in runs])
        mean, spread = values.mean(axis=0), values.std(axis=0)
        (drawn,) = plot.plot(steps, mean, label=f"{label}, {len(runs)} seeds")
        plot.fill_between(
            steps,
            mean - spread,
            np.minimum(mean + spread, 500),
            alpha=0.2,
            color=drawn.get_color(),
            linewidth=0,
        )
    plot.plot([50_000], [500], "s", label="Stable-Baselines3 zoo DQN, 1 run")
    line(plot, 489, "CleanRL DQN at 500,000 steps")
    plot.set_ylim(0, 530)
    plot.xaxis.set_major_formatter("{x:,.0f}")
    plot.legend(loc="lower right", fontsize=9)
    figure.savefig(OUT / "cartpole_dqn.png", dpi=130)


def space_invaders_with_sticky_actions() -> None:
    """Draw the runs on a GPU, into the folder of their histories."""
    folder = HERE / "space_invaders_gpu"
    learning_curve(
        sorted(folder.glob("history_*.csv")),
        x="environment_steps",
        y={"episode_return": "while learning, 3 seeds"},
        references={"DQN at 250,000 steps, published: 168 to": 184},
        title="Space Invaders, sticky actions, one H100",
        x_label="agent steps (4 frames each)",
        y_label="score of a game",
        path=folder / "learning_curve.png",
    )


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    space_invaders()
    cartpole()
    space_invaders_with_sticky_actions()
