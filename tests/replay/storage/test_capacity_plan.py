import shutil
import types

import numpy as np
import pytest

from keras_rlkit.replay import Prioritized, ReplayBuffer, Uniform
from keras_rlkit.replay.storage import machine_limits

ATARI = (1_000_000, (84, 84, 4), "uint8")


@pytest.fixture
def machine(monkeypatch):
    monkeypatch.setattr(
        machine_limits.psutil,
        "virtual_memory",
        lambda: types.SimpleNamespace(available=3 * 2**30),
    )
    monkeypatch.setattr(
        shutil, "disk_usage", lambda path: types.SimpleNamespace(free=5 * 2**30)
    )


def test_a_million_transitions_of_atari(machine, capsys):
    plan = ReplayBuffer.plan(*ATARI, num_envs=8, frame_stack=4)
    # 2.5 % more frames than transitions, those of the steps under way, and
    # one of zeros.
    frames = 1_025_000 + 8 * 2 * 8
    raw = (frames + 1) * 7_056
    # Eight frame numbers, action, reward, discount and a bound; the last
    # observations of all environments.
    rows = 1_000_000 * (8 * 4 + 4 + 4 + 4 + 8) + 8 * (4 * 7_064 + 1)
    assert plan["memory"] == {"memory": raw + rows, "disk": 0}
    assert plan["disk"] == {"memory": rows, "disk": raw}
    blocks = (frames // 8 + 9) * 20 + 9 * 8 * 7_056 + (frames + 1) * 4
    estimate = frames * 7_056 // 30
    assert plan["compressed"] == {"memory": rows + blocks + estimate, "disk": 0}
    assert plan["available"] == {"memory": 3 * 2**30, "disk": 5 * 2**30}
    printed = capsys.readouterr().out
    # 7,286, 300, 52 and 7,233 million bytes in GiB.
    for line in (
        "Replay of 1,000,000 transitions, frames of 7,056 bytes:",
        f"{'storage':<14}{'memory':>14}{'disk':>14}",
        f'{chr(34)}memory"      {"6.79 GiB":>14}{"0.00 GiB":>14}',
        f'{chr(34)}compressed"  {"0.28 GiB":>14}{"0.00 GiB":>14}',
        f'{chr(34)}disk"        {"0.05 GiB":>14}{"6.74 GiB":>14}',
        f"this machine  {'3.00 GiB':>14}{'5.00 GiB':>14}",
        '"compressed" is an estimate, from 235 bytes a frame (1/30).',
    ):
        assert line in printed


@pytest.mark.parametrize("sampler", [Uniform, Prioritized])
@pytest.mark.parametrize("storage", ["memory", "disk"])
def test_what_is_planned_is_what_is_taken(storage, sampler):
    arguments = (2_000, (40, 40, 2), "uint8", 4, 2)
    planned = ReplayBuffer.plan(*arguments, n_step=3, sampler=sampler())
    planned = planned[storage]
    taken = ReplayBuffer(
        *arguments, n_step=3, storage=storage, sampler=sampler()
    ).nbytes
    # Apart from the open windows of four environments.
    assert 0 <= taken - sum(planned.values()) < 4 * 500


def test_nothing_is_allocated_for_a_plan():
    plan = ReplayBuffer.plan(10**12, (84, 84), "uint8")
    assert plan["memory"]["memory"] > 2**50


def test_what_is_assumed_of_compression(capsys):
    def estimate(*arguments, **more):
        return ReplayBuffer.plan(1_000, *arguments, **more)["compressed"]

    noise = estimate((84, 84), "uint8", compression=1)["memory"]
    assert estimate((84, 84), "uint8")["memory"] < noise / 10
    twice = estimate((84, 84), "uint8", compression=2.0)["memory"]
    # 1,025 frames and the four of steps under way.
    assert noise - twice == 1_029 * 7_056 // 2
    assert "from 3,528 bytes a frame (1/2)" in capsys.readouterr().out
    # Numbers and a few pixels are not assumed to become smaller.
    for shape, dtype in (((84, 84), "float32"), ((31, 33), "uint8")):
        assert estimate(shape, dtype) == estimate(shape, dtype, compression=1)


def test_a_plan_for_an_environment():
    space = types.SimpleNamespace(shape=(84, 84, 4), dtype=np.dtype("uint8"))
    environment = types.SimpleNamespace(
        num_envs=8,
        observation_space=None,
        single_observation_space=space,
        action_space=None,
        single_action_space=types.SimpleNamespace(n=6, shape=()),
    )
    plan = ReplayBuffer.plan_for_environment(environment, 500, frame_stack=4)
    by_hand = ReplayBuffer.plan(
        500, (84, 84, 4), "uint8", num_envs=8, frame_stack=4
    )
    assert plan["memory"] == by_hand["memory"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"capacity": 0}, r"`capacity` .* Received: capacity=0\."),
        ({"num_envs": 0}, r"`num_envs` .* Received: num_envs=0\."),
        ({"n_step": 0}, r"`n_step` .* Received: n_step=0\."),
        ({"frame_stack": 3}, r"`frame_stack` must be the size .*=3 with"),
        ({"observation_dtype": "foo"}, "Received: observation_dtype='foo'"),
        ({"observation_shape": 84}, "Received: observation_shape=84"),
        ({"compression": 0}, r"`compression` .* Received: compression=0\."),
        ({"folder": "/missing"}, "Received: folder='/missing'"),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        ReplayBuffer.plan(
            **{
                "capacity": 10,
                "observation_shape": (84, 84, 4),
                "observation_dtype": "uint8",
                **arguments,
            }
        )


def test_masks_take_room_too():
    from gymnasium import spaces

    environment = types.SimpleNamespace(
        observation_space=spaces.Dict(
            {
                "action_mask": spaces.MultiBinary(400),
                "observation": spaces.Box(0, 1, (3,)),
            }
        ),
        action_space=spaces.Discrete(400),
    )
    plan = ReplayBuffer.plan_for_environment(environment, 1_000)
    buffer = ReplayBuffer.for_environment(environment, 1_000)
    assert plan["memory"]["memory"] == pytest.approx(buffer.nbytes, rel=0.01)
    assert plan["memory"]["memory"] > 1_000 * 400
