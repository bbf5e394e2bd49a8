import json
import os
import pathlib
import subprocess
import sys

import imageio.v3 as iio
import keras
import pytest

RECIPES = pathlib.Path(__file__).parents[2] / "docs" / "recipes"
QUICK_RUNS = [
    ("cartpole_dqn", "cartpole.keras", "evaluation_mean", 50),
    ("space_invaders", "space_invaders.keras", "trained_mean", 1),
]


def run(name, *arguments):
    return subprocess.run(
        [sys.executable, str(RECIPES / f"{name}.py"), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "SDL_VIDEODRIVER": "dummy"},
    )


@pytest.mark.tensorflow_only
@pytest.mark.parametrize("name, model, score, least", QUICK_RUNS)
def test_quick_run_leaves_everything(tmp_path, name, model, score, least):
    process = run(name, "--quick", "--seed", "1", "--out", str(tmp_path))
    assert process.returncode == 0, process.stderr[-3000:]
    assert "minutes on two CPU cores" in process.stdout
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["seed"] == 1
    assert results[score] >= least
    header, *epochs = (tmp_path / "history.csv").read_text().splitlines()
    assert len(epochs) >= 4
    for column in ("loss", "episode_return", "evaluation_return"):
        assert column in header.split(",")
    assert iio.imread(tmp_path / "learning_curve.png").shape[1] > 600
    film = iio.imread(tmp_path / "play.gif")
    assert len(film) >= 10 and film[0].max() > film[0].min()
    agent = keras.models.load_model(tmp_path / model)
    assert type(agent).__name__ == "DoubleDQN"


def test_steps_are_obeyed(tmp_path):
    process = run(
        "cartpole_dqn", "--quick", "--steps", "3000", "--out", str(tmp_path)
    )
    assert process.returncode == 0, process.stderr[-3000:]
    results = json.loads((tmp_path / "results.json").read_text())
    assert 2_700 < results["environment_steps"] <= 3_000
