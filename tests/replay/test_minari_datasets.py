import gymnasium
import keras
import numpy as np
import pytest

from keras_rlkit.callbacks import CollectSteps
from keras_rlkit.policies import EpsilonGreedy
from keras_rlkit.replay import ReplayBuffer, load_minari, save_minari

minari = pytest.importorskip("minari")


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))


class Counter(gymnasium.Env):
    """Counts up by the action; ends at 5, or is cut after 4 steps."""

    observation_space = gymnasium.spaces.Box(0, 99, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(2, start=1)
    spec = None

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        self.count, self.steps = 1.0, 0
        return np.array([self.count], "float32"), {}

    def step(self, action):
        self.count += action
        self.steps += 1
        observation = np.array([self.count], "float32")
        return observation, action / 2, self.count >= 5, self.steps == 4, {}


class FakeModel:
    output_shape = (None, 2)
    steps_per_execution = 1


def collect(environment, buffer, steps):
    callback = CollectSteps(
        environment, buffer, EpsilonGreedy(1.0), 1, warmup_steps=steps, seed=0
    )
    callback._model = FakeModel()
    callback.on_train_begin()


def rows(buffer):
    """Every transition as one row of numbers."""
    observation, rest = buffer.transitions()
    return np.column_stack(
        [
            observation.reshape(len(observation), -1),
            rest["action"],
            rest["reward"],
            rest["discount"],
            rest["next_observation"].reshape(len(observation), -1),
        ]
    )


def add(buffer, now, action, then, terminated=False, truncated=False):
    buffer.add(
        np.array([[now]], "float32"),
        np.array([action]),
        np.array([now / 2]),
        np.array([terminated]),
        np.array([truncated]),
        np.array([[then]], "float32"),
    )


def make_by_hand():
    buffer = ReplayBuffer(20, (1,), "float32", num_actions=2)
    add(buffer, 1, 0, 2)
    add(buffer, 2, 1, 3, terminated=True)
    add(buffer, 1, 1, 3)
    add(buffer, 3, 0, 4, truncated=True)
    add(buffer, 6, 0, 5)
    return buffer


def test_episodes_by_hand():
    dataset = save_minari(make_by_hand(), "by/hand-v0", Counter())
    episodes = list(dataset.iterate_episodes())
    assert [e.observations.ravel().tolist() for e in episodes] == [
        [1, 2, 3],
        [1, 3, 4],
        [6, 5],
    ]
    # The environment counts its actions from 1.
    assert [e.actions.tolist() for e in episodes] == [[1, 2], [2, 1], [1]]
    assert [e.rewards.tolist() for e in episodes] == [[0.5, 1], [0.5, 1.5], [3]]
    assert [e.terminations.tolist() for e in episodes] == [
        [False, True],
        [False, False],
        [False],
    ]
    assert [e.truncations.tolist() for e in episodes] == [
        [False, False],
        [False, True],
        [True],
    ]
    assert dataset.observation_space == Counter.observation_space


def test_what_is_saved_is_loaded():
    buffer = make_by_hand()
    save_minari(buffer, "by/hand-v0", Counter())
    loaded = load_minari("by/hand-v0")
    assert (rows(loaded) == rows(buffer)).all()
    assert (loaded.capacity, loaded.num_actions) == (5, 2)


@pytest.mark.parametrize("num_envs", [1, 3])
def test_collected_episodes_survive(num_envs):
    environment = gymnasium.vector.SyncVectorEnv([Counter] * num_envs)
    buffer = ReplayBuffer.for_environment(environment, 150)
    collect(environment, buffer, 400)
    dataset = save_minari(buffer, "counter/random-v0", environment)
    ends = [
        bool(episode.terminations[-1] or episode.observations[-1, 0] >= 4)
        for episode in dataset.iterate_episodes()
    ]
    # At most one of each environment is under way.
    assert ends.count(False) <= num_envs
    loaded = load_minari(dataset, capacity=200)
    assert len(loaded) == 150
    expected, received = rows(buffer), rows(loaded)
    order = np.lexsort(expected.T), np.lexsort(received.T)
    assert (expected[order[0]] == received[order[1]]).all()


def test_other_arguments_of_the_buffer():
    save_minari(make_by_hand(), "by/hand-v0", Counter())
    loaded = load_minari("by/hand-v0", n_step=2, discount=0.5)
    assert rows(loaded).tolist() == [
        # The first two rewards are 0.5 and 1.
        [1, 0, 1.0, 0, 3],
        [2, 1, 1.0, 0, 3],
        [1, 1, 0.5 + 0.5 * 1.5, 0.25, 4],
        [3, 0, 1.5, 0.5, 4],
        [6, 0, 3.0, 0.5, 5],
    ]


def test_bad_buffers():
    empty = ReplayBuffer(5, (1,), "float32")
    with pytest.raises(ValueError, match="Received: 0 transitions"):
        save_minari(empty, "a/b-v0", Counter())
    joined = ReplayBuffer(5, (1,), "float32", n_step=2)
    add(joined, 1, 0, 2, terminated=True)
    with pytest.raises(ValueError, match="`n_step` must be 1 .*n_step=2"):
        save_minari(joined, "a/b-v0", Counter())


def test_masks_have_no_place():
    buffer = ReplayBuffer(5, (1,), "float32", num_actions=2, action_masks=True)
    masks = {"action_mask": [[1, 1]], "next_action_mask": [[1, 1]]}
    buffer.add([[0.0]], [1], [0.0], [False], [False], [[1.0]], **masks)
    with pytest.raises(ValueError, match="`buffer` must have no masks of allo"):
        save_minari(buffer, "a/b-v0", Counter())


def test_nests_come_back(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    box = gymnasium.spaces.Box(-99, 99, (1,))
    space = gymnasium.spaces.Dict(
        {"a": box, "b": gymnasium.spaces.Tuple([box])}
    )

    class Nested(Counter):
        observation_space = space

    def at(step):
        number = np.full((1, 1), step, "float32")
        return {"a": number, "b": (-number,)}

    buffer = ReplayBuffer(
        9, {"a": (1,), "b": ((1,),)}, "float32", num_actions=2
    )
    for step in range(4):
        end = [step == 3]
        buffer.add(at(step), [1], [1.0 * step], end, [False], at(step + 1))
    save_minari(buffer, "nested/nested-v0", Nested())
    again = load_minari("nested/nested-v0")
    for one, other in zip(
        keras.tree.flatten(buffer.transitions()),
        keras.tree.flatten(again.transitions()),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)


def test_bad_data_sets():
    class Dataset:
        total_steps = 1
        observation_space = gymnasium.spaces.Text(3)
        action_space = gymnasium.spaces.Box(0, 1, (1,))

    with pytest.raises(ValueError, match="must have arrays of numbers as obs"):
        load_minari(Dataset())
    Dataset.observation_space = gymnasium.spaces.Box(0, 1, (1,))
    with pytest.raises(ValueError, match="must have discrete actions"):
        load_minari(Dataset())
