import json

import imageio.v3 as iio
import keras
import numpy as np
import pytest

import keras_rlkit  # noqa: F401 so that Keras knows the saved classes
from tests.recipes.running import RECIPES, run_command, run_here

# recipe and options, the saved model, its class, and the least score. Each runs
# on one backend; small networks learn several times faster on JAX.
QUICK_RUNS = {
    "jax": [
        (
            "cartpole_dqn --prioritized --steps 3000",
            "cartpole",
            "DoubleDQN",
            50,
        ),
        (
            "cartpole_dqn --head quantile --steps 3000",
            "cartpole",
            "QuantileDQN",
            30,
        ),
        ("cartpole_reinforce --steps 5000", "cartpole", "Sequential", 50),
        ("cartpole_actor_critic --steps 5000", "cartpole", "ActorCritic", 40),
        (
            "cartpole_actor_critic --ppo --steps 5000",
            "cartpole",
            "ActorCritic",
            100,
        ),
        # Random actions give about -1,200, and -21.
        ("pendulum_ppo", "pendulum", "ActorCritic", -1_150),
        ("taxi_masks --steps 60000", "taxi", "DoubleDQN", 5),
        ("image_and_vector", "minigrid", "DoubleDQN", 0.5),
        ("memory_cartpole --steps 10000", "memory", "ActorCritic", 15),
        ("atari_ppo --steps 1024", "pong", "ActorCritic", -21),
    ],
    "tensorflow": [
        ("space_invaders --steps 1300", "space_invaders", "DoubleDQN", 1),
    ],
}


@pytest.mark.parametrize(
    "command, model, kind, least", QUICK_RUNS[keras.backend.backend()]
)
def test_quick_run_leaves_everything(
    tmp_path, run, command, model, kind, least
):
    name, *flags = command.split()
    results, _ = run(name, tmp_path, *flags)
    assert results.get("evaluation_mean", results.get("trained_mean")) >= least
    header, *epochs = (tmp_path / "history.csv").read_text().splitlines()
    assert len(epochs) >= 4
    for column in ("loss", "episode_return", "evaluation_return"):
        assert column in header.split(",")
    assert iio.imread(tmp_path / "learning_curve.png").shape[1] > 600
    film = iio.imread(tmp_path / "play.gif")
    assert len(film) >= 10 and film[0].max() > film[0].min()
    agent = keras.models.load_model(tmp_path / f"{model}.keras")
    assert type(agent).__name__ == kind


@pytest.mark.tensorflow_only
def test_the_command_runs_and_obeys_steps(tmp_path):
    flags = ("--quick", "--steps", "3000", "--out", tmp_path)
    run_command(RECIPES / "cartpole_dqn.py", *flags)
    results = json.loads((tmp_path / "results.json").read_text())
    assert 2_700 < results["environment_steps"] <= 3_000


@pytest.mark.skipif(
    keras.backend.backend() == "tensorflow", reason="they run on it"
)
@pytest.mark.parametrize(
    "name",
    ["mnist_three_layer", "probabilistic_regression", "value_distribution"],
)
def test_recipes_for_tensorflow_say_so_at_once(name, tmp_path, monkeypatch):
    flags = ("--quick", "--out", tmp_path / "out")
    with pytest.raises(SystemExit, match="set KERAS_BACKEND=tensorflow"):
        run_here(RECIPES / f"{name}.py", monkeypatch, *flags)
    assert not (tmp_path / "out").exists()


@pytest.mark.tensorflow_only
def test_probabilistic_regression(tmp_path, run):
    results, _ = run("probabilistic_regression", tmp_path)
    slope, intercept = results["least_squares"]
    assert results["slope"] == pytest.approx(slope, rel=0.01)
    assert results["intercept"] == pytest.approx(intercept, rel=0.01)
    constant, growing = (
        results["fresh_data"][f"{band} band, x from 0 to 3"]
        for band in ("constant", "growing")
    )
    assert 0.9 < growing["interval_coverage"] < constant["interval_coverage"]
    assert growing["loss"] < constant["loss"] - 0.1
    # Where there are no data, bands of several networks widen.
    for kind in ("deep ensemble", "dropout while predicting"):
        spread = results["spreads"][kind]
        assert spread["outside"] > 2 * spread["data"]
        assert spread["gap"] > spread["data"]
    ensemble, alone = (
        results["spreads"][kind] for kind in ("deep ensemble", "one network")
    )
    assert ensemble["outside"] > 2 * alone["outside"]
    for picture in ("data", "constant_band", "growing_band", "reliability"):
        assert iio.imread(tmp_path / f"{picture}.png").std() > 1
    assert iio.imread(tmp_path / "beyond_the_noise.png").shape[1] > 1_500
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 11
    model = keras.models.load_model(tmp_path / "regression.keras")
    assert (model(np.zeros((1, 1))).stddev() > 0.5).numpy().all()


@pytest.mark.tensorflow_only
def test_value_distribution(tmp_path, run):
    results, _ = run("value_distribution", tmp_path)
    mixture = results["fresh_games"]["mixture"]
    assert 0.8 < mixture["interval_coverage"] < 0.98
    assert mixture["quantile_calibration_error"] < 0.1
    # It says more than the returns of all games together.
    blind = results["fresh_games"]["without the state"]["crps"]
    assert mixture["crps"] < 0.8 * blind
    assert iio.imread(tmp_path / "value_distribution.png").shape[1] > 1_500
    for head in ("normal", "mixture"):
        history = (tmp_path / f"history_{head}.csv").read_text().splitlines()
        assert "quantile_calibration_error" in history[0].split(",")
        assert len(history) == 11
    model = keras.models.load_model(tmp_path / "value_distribution.keras")
    prediction = model([np.zeros((3, 4)), np.array([0, 1, 0])])
    assert prediction.sample(2).shape == (2, 3, 1)
