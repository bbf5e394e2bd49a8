"""The oracle over random nests of arrays."""

import functools

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize

from tests.replay.nested_buffers import LEAVES, make_nested
from tests.replay.oracle import Harness
from tests.replay.test_oracle import FRAMES, PLAN, STORAGES, ReplayAgainstOracle


@st.composite
def nests(draw, frame_stack):
    """A nest of some of the leaves, the whole observation among them."""
    names = [n for n in LEAVES if (LEAVES[n][1](frame_stack or 0) or 0) < 3]
    names = [
        name
        for name in names
        if name not in ("whole", "newest", "pair")
        or (name == "newest" and frame_stack)
        or (name == "pair" and (frame_stack or 0) >= 2)
    ]
    chosen = draw(st.lists(st.sampled_from(names), unique=True))
    parts = draw(st.permutations(["whole", *chosen]))
    while True:
        size = draw(st.integers(1, len(parts)))
        part = tuple(parts[:size])
        if draw(st.booleans()):
            part = dict(zip("edcbagf", part, strict=False))
        if size == len(parts):
            return part
        parts = [*parts[size:], part]


class NestsAgainstOracle(ReplayAgainstOracle):
    @initialize(
        capacity=st.integers(1, 8) | st.integers(9, 40),
        num_envs=st.integers(1, 4),
        frame=st.sampled_from(FRAMES),
        frame_stack=st.sampled_from([None, 1, 2, 4]),
        n_step=st.integers(1, 4),
        storage=st.sampled_from(STORAGES),
        prioritized=st.booleans(),
        plan=PLAN,
        data=st.data(),
    )
    def start(
        self,
        capacity,
        num_envs,
        frame,
        frame_stack,
        n_step,
        storage,
        prioritized,
        plan,
        data,
    ):
        shape, dtype = frame
        nested = make_nested(data.draw(nests(frame_stack)))
        self.harness = Harness(
            functools.partial(nested, storage=storage),
            capacity=capacity,
            num_envs=num_envs,
            observation_shape=(*shape, frame_stack) if frame_stack else shape,
            observation_dtype=dtype,
            frame_stack=frame_stack,
            n_step=n_step,
            prioritized=prioritized,
            **plan,
        )


TestNestsAgainstOracle = NestsAgainstOracle.TestCase
# A program over nests takes long: fewer of them, unless it is night.
if hypothesis.settings().max_examples < 1_000:
    TestNestsAgainstOracle.settings = hypothesis.settings(max_examples=15)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("padding", ["zeros", "noise"])
def test_large_images_beside_numbers_keep_at_least_the_newest(storage, padding):
    # Images run out of room, the numbers beside them do not.
    nested = make_nested({"whole": "whole", "vector": "vector", "p": "pair"})
    harness = Harness(
        functools.partial(nested, storage=storage),
        capacity=15,
        num_envs=2,
        observation_shape=(64, 64, 4),
        frame_stack=4,
        n_step=2,
        episodes=[(1, "truncated"), (2, "terminated"), (40, "both")],
        padding=padding,
        moves=[1, 5, -1, 0],
    )
    for _ in range(60):
        harness.step()
        harness.check_content(all_of_it=False)


def test_a_million_images_and_vectors_take_the_room_of_one_frame_each():
    from keras_rlkit.replay.storage.observation_layout import ObservationLayout
    from keras_rlkit.replay.storage.storage_settings import Memory
    from keras_rlkit.replay.storage.transition_ring import TransitionRing

    layout = ObservationLayout(
        {"image": (84, 84, 4), "vector": (16,)},
        {"image": "uint8", "vector": "float32"},
        {"image": 4},
    )
    size = TransitionRing.size_of(1_000_000, layout, 8, 1, Memory())
    per_transition = size.memory / 1_000_000
    assert per_transition <= 1.05 * (84 * 84 + 16 * 4)
    assert per_transition > np.prod((84, 84)) + 16 * 4
