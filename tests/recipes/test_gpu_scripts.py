"""What runs on a GPU elsewhere, in short and on the CPU."""

import csv
import json
import pathlib
import runpy
import sys

import keras
import pytest

import keras_rlkit  # noqa: F401 so that Keras knows the saved classes
from tests.recipes.running import run_command

ROOT = pathlib.Path(__file__).parents[2]
BENCHMARK = ROOT / "tests" / "benchmarks" / "gpu.py"
STUDY = ROOT / "docs" / "results" / "space_invaders_gpu.py"
# Answers as the peer does: 100 environment steps a second.
PEER = f"""#!{sys.executable}
import json, sys
assert json.loads(sys.argv[2])["num_envs"] in (1, 8)
report = {{"device": "nowhere", "versions": {{"peer": "1"}}}}
print(json.dumps(report), flush=True)
for line in sys.stdin:
    steps = int(line.split()[1])
    done = {{"seconds": steps / 100, "done": steps, "updates": steps // 4}}
    print(json.dumps(done), flush=True)
"""

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="measured on the JAX backend"
)


def rows_of(file):
    with open(file, newline="") as lines:
        return list(csv.DictReader(lines))


def test_benchmark(tmp_path):
    peer = tmp_path / "peer"
    peer.write_text(PEER)
    peer.chmod(0o755)
    flags = ("--quick", "--out", tmp_path)
    run_command(BENCHMARK, *flags, "--sb3_python", peer)
    rows = rows_of(tmp_path / "gpu.csv")
    values = {}
    for row in rows:
        key = row["figure"], row["setting"]
        values.setdefault(key, []).append(float(row["value"]))
    assert all(value > 0 for row in values.values() for value in row)
    for double in ("ordinary", "double"):
        setting = f"{double}, 8 steps per execution"
        bare, fit, ratio = (
            values[figure, setting]
            for figure in (
                "bare jitted step",
                "`fit`",
                "`fit` / bare jitted step",
            )
        )
        assert ratio == pytest.approx(
            [a / b for a, b in zip(fit, bare, strict=True)]
        )
    name = "Stable-Baselines3, 1 environments"
    assert values["whole loop", name] == pytest.approx([100.0, 100.0])
    assert values["environment steps per gradient step", name] == [4, 4]
    kit = values["whole loop", "8 environments"]
    ratio = values["whole loop, ratio", f"8 environments / {name}"]
    assert ratio == pytest.approx([rate / 100 for rate in kit])
    acting = values["acting", "Stable-Baselines3, 1 observations"]
    assert acting == pytest.approx([10.0, 10.0])
    assert len(values["resident memory", "after each agent"]) == 2
    page = (tmp_path / "gpu.md").read_text()
    assert "all of this is on the CPU" in page
    assert "peer 1; Stable-Baselines3 on nowhere" in page
    assert page.count("\n| ") == len(values) + 1


def test_study(tmp_path):
    run_command(
        STUDY,
        *("--steps", "600", "--warmup", "200", "--epoch_steps", "200"),
        *("--capacity", "1000", "--num_envs", "8", "--episodes", "1"),
        *("--epsilon_steps", "400", "--seed", "3", "--out", tmp_path),
    )
    history = rows_of(tmp_path / "history.csv")
    steps = [int(row["environment_steps"]) for row in history]
    assert len(steps) == 2 and steps == sorted(steps)
    # Of each epoch four whole executions of 16 gradient steps.
    assert steps[-1] == 200 + 2 * 4 * 16 * 4
    assert float(history[-1]["epsilon"]) == pytest.approx(0.01)
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["seed"] == 3 and results["agent_steps"] == steps[-1]
    assert results["gradient_steps"] == (steps[-1] - 200) // 4
    assert results["training_return"] == {
        f"{mark} M frames": None for mark in (1, 5, 10)
    }
    for epsilon in (0.001, 0.05):
        assert results[f"evaluation, epsilon {epsilon}"]["games"] == 1
    agent = keras.models.load_model(tmp_path / "space_invaders.keras")
    assert int(agent.gradient_steps) == results["gradient_steps"]


def test_study_ends_in_time(tmp_path):
    run_command(
        STUDY,
        *("--minutes", "0.5", "--reserve", "29", "--warmup", "400"),
        *("--capacity", "4000", "--num_envs", "4", "--episodes", "0"),
        *("--out", tmp_path),
    )
    results = json.loads((tmp_path / "results.json").read_text())
    # Time is up before the first execution: one is taken all the same.
    execution = runpy.run_path(str(STUDY))["EXECUTION"]
    assert results["gradient_steps"] == execution
    assert len(rows_of(tmp_path / "history.csv")) == 1


def test_study_means_over_games():
    training_return = runpy.run_path(str(STUDY))["training_return"]

    def row(steps, score, length):
        return {
            "environment_steps": str(steps),
            "episode_return": str(score),
            "episode_length": str(length),
        }

    history = [
        row(50_000, "NA", "NA"),
        row(100_000, float("nan"), float("nan")),
        row(200_000, 100, 1_000),  # 100 games
        row(251_000, 400, 510),  # 100 games
        row(499_000, 7, 1_000),
        row(510_000, 9, 1_000),
    ]
    assert training_return(history, 1_000, 1) == 250
    # The middle of the last epoch is in the third million.
    assert training_return(history, 1_000, 2) == pytest.approx(7)
    assert training_return(history, 1_000, 5) is None
