import types

import numpy as np
import pytest

import keras_rlkit as rlk
from keras_rlkit.replay import Prioritized, ReplayBuffer
from keras_rlkit.replay.storage import machine_limits
from tests.replay.steps import NO, make, step


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"capacity": -3}, r"`capacity` .* Received: capacity=-3\."),
        ({"num_envs": 0}, r"`num_envs` .* Received: num_envs=0\."),
        ({"n_step": 0}, r"`n_step` .* Received: n_step=0\."),
        ({"discount": 1.5}, r"`discount` .* Received: discount=1\.5\."),
        ({"frame_stack": 4}, r"`frame_stack` must be the size of the obs"),
        ({"seed": -1}, r"`seed` .* Received: seed=-1\."),
        ({"num_actions": 0}, r"`num_actions` .* Received: num_actions=0\."),
        ({"observation_shape": 4}, r"Received: observation_shape=4\."),
        ({"observation_shape": (0,)}, r"Received: observation_shape=0\."),
        ({"observation_dtype": "foo"}, r"Received: observation_dtype='foo'\."),
        ({"frame_stack": 0}, r"`frame_stack` .* Received: frame_stack=0\."),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        make(**arguments)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"observation": np.zeros((1, 4), "float32")}, r"`observation` must h"),
        ({"observation": np.zeros(3, "float32")}, r"\.shape=\(3,\)"),
        ({"next_observation": np.zeros((1, 3), "U1")}, "dtype float32, or one"),
        ({"action": np.array([2])}, r"`action` must be at least 0 and below 2"),
        ({"action": np.array([-1])}, r"Received: action=\[-1\]"),
        ({"action": np.array([0.5])}, r"`action` must be integers"),
        ({"reward": np.array([np.nan])}, r"`reward` must be finite.*\[nan\]"),
        ({"reward": np.array([np.inf])}, r"`reward` must be finite.*\[inf\]"),
        ({"reward": np.array([1j])}, r"`reward` must be real numbers"),
        ({"reward": np.array([1e39])}, r"`reward` must be finite in float32"),
        ({"reward": np.zeros(2)}, r"`reward` must have shape \(1,\)"),
        ({"terminated": np.zeros(1)}, "`terminated` must be boolean"),
        ({"truncated": np.zeros((1, 1), bool)}, "`truncated` must have shape"),
        ({"valid": np.zeros(3, bool)}, "`valid` must have shape"),
    ],
)
def test_a_refused_step_loses_nothing(changes, message):
    buffer, same = make(n_step=2), make(n_step=2)
    for replay in (buffer, same):
        replay.add(**step())
    with pytest.raises(ValueError, match=message):
        buffer.add(**step(**changes))
    for replay in (buffer, same):
        rest = step(observation=np.ones((1, 3), "float32"))
        replay.add(**rest)
    ours, theirs = buffer.transitions(), same.transitions()
    assert len(buffer) == len(same) == 1
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_array_equal(ours[1]["reward"], theirs[1]["reward"])


def test_a_pause_within_an_episode_is_refused():
    buffer = make()
    buffer.add(**step())
    with pytest.raises(ValueError, match=r"`valid` may be False only .* \[0\]"):
        buffer.add(**step(valid=NO))
    assert len(buffer) == 1


def test_more_than_the_machine_has(monkeypatch):
    monkeypatch.setattr(
        machine_limits.psutil,
        "virtual_memory",
        lambda: types.SimpleNamespace(available=2**20),
    )
    with pytest.raises(
        MemoryError,
        match=r"`capacity` needs more memory .* Received: capacity=1000000\. "
        r"Use `capacity=\d+` or less",
    ):
        make(capacity=1_000_000)
    make(capacity=10)


def test_spaces_of_environments():
    box = types.SimpleNamespace(shape=(3,), dtype=np.dtype("float32"))
    single = types.SimpleNamespace(
        observation_space=box,
        action_space=types.SimpleNamespace(n=np.int64(2), shape=()),
    )
    buffer = ReplayBuffer.for_environment(single, 5)
    assert (buffer.num_envs, buffer.num_actions) == (1, 2)
    single.action_space = box
    with pytest.raises(ValueError, match="`environment` must have discrete ac"):
        ReplayBuffer.for_environment(single, 5)
    single.observation_space = types.SimpleNamespace(shape=None)
    with pytest.raises(ValueError, match="arrays of numbers as observations"):
        ReplayBuffer.for_environment(single, 5)


def test_a_damaged_file_is_refused_and_runs_nothing(tmp_path):
    buffer = make()
    buffer.add(**step())
    buffer.save(tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "other").write_text("hello")
    np.savez(tmp_path / "code.npz", header=np.array([print], dtype=object))
    for name in ("cut", "other", "code.npz"):
        with pytest.raises(ValueError, match="`path` must be a complete file"):
            ReplayBuffer.load(tmp_path / name)
    assert len(ReplayBuffer.load(tmp_path / "whole")) == 1
    assert not list(tmp_path.glob("*.unfinished"))


def test_large_frames_leave_with_the_oldest_transitions():
    # Each two-step episode needs three frames: more than the spare 2.5 %.
    buffer = ReplayBuffer(100, (32, 32, 2), "uint8", frame_stack=2)
    for number in range(400):
        last = number % 2 == 1
        older = number % 250 + 1 if last else 0
        values = [older, (number + 1) % 250 + 1, (number + 2) % 250 + 1]
        frames = np.full((1, 32, 32, 3), values, "uint8")
        buffer.add(
            frames[..., :2],
            np.array([0]),
            np.array([float(number)]),
            np.array([last]),
            NO,
            frames[..., 1:],
        )
    assert 60 <= len(buffer) < 100
    observation, rest = buffer.transitions()
    kept = np.arange(400 - len(buffer), 400)
    np.testing.assert_array_equal(rest["reward"], kept)
    newest = observation[:, 0, 0, 1]
    np.testing.assert_array_equal(newest, (kept + 1) % 250 + 1)


@pytest.mark.tensorflow_only
def test_dataset_gives_what_sample_gives():
    buffers = [make(), make(), make()]
    for buffer in buffers:
        for number in range(10):
            buffer.add(
                **step(
                    observation=np.full((1, 3), number, "float32"),
                    next_observation=np.full((1, 3), number + 1, "float32"),
                )
            )
    sampled, *datasets = buffers
    specification = datasets[0].dataset(4).element_spec
    assert specification[0].shape == (4, 3)
    assert specification[1]["action"].shape == (4,)
    for buffer, prefetch in zip(datasets, (0, 3), strict=True):
        sampled.feed._generator = make()._generator
        for batch in buffer.dataset(4, prefetch=prefetch).take(6):
            ours = sampled.sample(4)
            np.testing.assert_array_equal(ours[0], batch[0].numpy())
            for key, value in ours[1].items():
                np.testing.assert_array_equal(value, batch[1][key].numpy())


CONTRACT = {
    ReplayBuffer: {
        "arguments": lambda: {
            "capacity": 50,
            "observation_shape": (2, 3),
            "observation_dtype": "float32",
            "num_envs": 2,
            "frame_stack": 3,
            "n_step": 2,
            "discount": 0.9,
            "sampler": Prioritized(),
            "seed": 1,
            "num_actions": 3,
            "storage": "disk",
            "action_masks": True,
        },
        "draw": lambda replay: replay.sample(8),
        "bad": {
            "capacity": [0, 2.5],
            "observation_dtype": ["text"],
            "num_envs": [0],
            "frame_stack": [0],
            "n_step": [0],
            "discount": [1.5],
            "seed": [-1],
            "num_actions": [0],
            "storage": ["tape"],
        },
        "excluded": ("sequence_length", "burn_in", "state_shape"),
    }
}


def test_contract_with_sequences():
    single = CONTRACT[ReplayBuffer]

    def arguments():
        given = single["arguments"]()
        del given["n_step"]
        return {
            **given,
            "sequence_length": 4,
            "burn_in": 2,
            "state_shape": ((3,), (2,)),
        }

    rlk.testing.check_buffer(
        ReplayBuffer,
        arguments,
        single["draw"],
        bad={
            "n_step": [2],
            "sequence_length": [0, None],
            "burn_in": [-1, 1.5],
            "state_shape": [((0,),), ()],
        },
        excluded=("n_step",),
    )
