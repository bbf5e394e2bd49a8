import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv, VectorEnv
from gymnasium.wrappers import TimeLimit, TransformObservation
from gymnasium.wrappers import vector as vector_wrappers

from keras_rlkit.environments import VectorAdapter, as_vector


class Diary(gymnasium.Env):
    """Shows (episode, step), `in_place` in one array that it overwrites.

    Episode `e` lasts `lengths[e % len(lengths)]` steps; even ones terminate,
    odd ones are truncated. The reward is 100 * action + 10 * episode + step.
    """

    metadata = {"render_modes": ["rgb_array"]}

    def __init__(
        self, lengths, first_action=0, render_mode=None, in_place=False
    ):
        self.lengths = lengths
        self.in_place = in_place
        self.render_mode = render_mode
        self.observation_space = spaces.Box(0, 99, (2,), np.float64)
        self.action_space = spaces.Discrete(3, start=first_action)
        self.page = np.array([-1.0, 0.0])

    def show(self):
        return self.page if self.in_place else self.page.copy()

    def info(self):
        return {"lives": 5 - int(self.page[1])}

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.page[:] = self.page[0] + 1, 0
        return self.show(), self.info()

    def step(self, action):
        assert self.action_space.contains(action)
        self.page[1] += 1
        episode, step = (int(number) for number in self.page)
        ended = step >= self.lengths[episode % len(self.lengths)]
        reward = 100 * int(action) + 10 * episode + step
        terminated, truncated = ended and not episode % 2, ended and episode % 2
        return self.show(), reward, terminated, bool(truncated), self.info()

    def render(self):
        return np.full((4, 6, 3), int(self.page[1]), np.uint8)


class Silent(Diary):
    """Tells nothing about lives when it starts."""

    def reset(self, *, seed=None, options=None):
        observation, _ = super().reset(seed=seed, options=options)
        return observation, {}


class OnFire(Diary):
    def step(self, action):
        raise FloatingPointError("engine on fire")


LENGTHS = [(2, 1, 3), (1, 3)]
# One line per step: (next observation, observation, ending, valid). The action
# of step t is t % 3.
AT_ONCE = [
    [
        ((0, 1), (0, 1), "", True),
        ((0, 2), (1, 0), "terminated", True),
        ((1, 1), (2, 0), "truncated", True),
        ((2, 1), (2, 1), "", True),
        ((2, 2), (2, 2), "", True),
        ((2, 3), (3, 0), "terminated", True),
    ],
    [
        ((0, 1), (1, 0), "terminated", True),
        ((1, 1), (1, 1), "", True),
        ((1, 2), (1, 2), "", True),
        ((1, 3), (2, 0), "truncated", True),
        ((2, 1), (3, 0), "terminated", True),
        ((3, 1), (3, 1), "", True),
    ],
]
A_STEP_LATER = [
    [
        ((0, 1), (0, 1), "", True),
        ((0, 2), (0, 2), "terminated", True),
        ((1, 0), (1, 0), "", False),
        ((1, 1), (1, 1), "truncated", True),
        ((2, 0), (2, 0), "", False),
        ((2, 1), (2, 1), "", True),
        ((2, 2), (2, 2), "", True),
        ((2, 3), (2, 3), "terminated", True),
        ((3, 0), (3, 0), "", False),
    ],
    [
        ((0, 1), (0, 1), "terminated", True),
        ((1, 0), (1, 0), "", False),
        ((1, 1), (1, 1), "", True),
        ((1, 2), (1, 2), "", True),
        ((1, 3), (1, 3), "truncated", True),
        ((2, 0), (2, 0), "", False),
        ((2, 1), (2, 1), "terminated", True),
        ((3, 0), (3, 0), "", False),
        ((3, 1), (3, 1), "", True),
    ],
]


def makers(cls=Diary, **arguments):
    return [
        lambda lengths=lengths: cls(lengths, **arguments) for lengths in LENGTHS
    ]


def play(adapter, num_steps):
    """All steps are taken before one is looked at: none may be overwritten."""
    first = adapter.reset(seed=0)
    lives = [adapter.lives]
    steps = []
    for time in range(num_steps):
        steps.append(adapter.step(np.full(adapter.num_envs, time % 3)))
        lives.append(adapter.lives)
    adapter.close()
    assert first.dtype == np.float64
    np.testing.assert_array_equal(first, [[0, 0]] * adapter.num_envs)
    np.testing.assert_array_equal(lives[0], [5] * adapter.num_envs)
    for step, lives_after in zip(steps, lives[1:], strict=True):
        assert step.lives is lives_after
    return steps


def check(steps, tables):
    for time, step in enumerate(steps):
        lines = [table[time] for table in tables]
        next_observation, observation, ending, valid = zip(*lines, strict=True)
        reward = [
            100 * (time % 3) + 10 * after[0] + after[1] if real else 0
            for after, real in zip(next_observation, valid, strict=True)
        ]
        expected = {
            "next_observation": np.array(next_observation, np.float64),
            "reward": np.array(reward, np.float64),
            "terminated": np.array([end == "terminated" for end in ending]),
            "truncated": np.array([end == "truncated" for end in ending]),
            "valid": np.array(valid),
            "observation": np.array(observation, np.float64),
            "lives": np.array([5 - seen[1] for seen in observation], np.int64),
        }
        for name, array in expected.items():
            received = getattr(step, name)
            assert received.dtype == array.dtype, (time, name)
            np.testing.assert_array_equal(
                received, array, err_msg=f"{name} of step {time}"
            )


@pytest.mark.parametrize("row", [0, 1])
def test_one_environment(row):
    adapter = as_vector(Diary(LENGTHS[row], in_place=True))
    check(play(adapter, 6), [AT_ONCE[row]])


@pytest.mark.parametrize("copy", [True, False])
@pytest.mark.parametrize(
    "mode, tables",
    [
        ("NextStep", A_STEP_LATER),
        ("SameStep", AT_ONCE),
        ("Disabled", AT_ONCE),
    ],
)
def test_environments_one_after_another(mode, tables, copy):
    environment = SyncVectorEnv(makers(), copy=copy, autoreset_mode=mode)
    check(play(as_vector(environment), len(tables[0])), tables)


@pytest.mark.parametrize(
    "mode, tables, arguments",
    [
        ("NextStep", A_STEP_LATER, {"copy": False}),
        ("SameStep", AT_ONCE, {"shared_memory": False, "copy": False}),
        ("Disabled", AT_ONCE, {}),
    ],
)
def test_environments_in_processes(mode, tables, arguments):
    environment = AsyncVectorEnv(makers(), autoreset_mode=mode, **arguments)
    check(play(as_vector(environment), len(tables[0])), tables)


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_nothing_is_copied_from_an_environment_that_copies(mode):
    environment = SyncVectorEnv(makers(), autoreset_mode=mode)
    handed_out = []
    step = environment.step

    def spy(actions):
        result = step(actions)
        handed_out.append(result[0])
        return result

    environment.step = spy
    adapter = as_vector(environment)
    adapter.reset()
    # Row 1 ends its first episode here, so that one of the two is patched.
    received = adapter.step([0, 0])
    assert any(
        array is handed_out[0]
        for array in (received.observation, received.next_observation)
    )


class Board(VectorEnv):
    """Two environments in one array; episodes last two steps.

    Everything it returns is overwritten in the next step. In the rows that go
    on, `final_obs` is rubbish, and there is no mask.
    """

    def __init__(self, metadata):
        self.metadata = metadata
        self.num_envs = 2
        self.single_observation_space = spaces.Box(0, 255, (1,), np.uint8)
        self.single_action_space = spaces.Discrete(2)
        self.observations = np.zeros((2, 1), np.uint8)
        self.final = np.full((2, 1), 99, np.uint8)
        self.rewards = np.zeros(2, np.float32)
        self.ends = np.zeros(2, bool)
        self.never = np.zeros(2, bool)
        self.lives = np.zeros(2, np.int32)

    def reset(self, *, seed=None, options=None):
        self.observations[:, 0] = 0, 1
        self.lives[:] = 3
        return self.observations, {"lives": self.lives}

    def step(self, actions):
        self.rewards[:] = actions + 1
        self.lives[:] = self.observations[:, 0]
        self.observations += 1
        self.ends[:] = self.observations[:, 0] >= 2
        self.final[:] = 99
        self.final[self.ends] = 20
        self.observations[self.ends] = 0
        info = {"lives": self.lives}
        if self.ends.any():
            info["final_obs"] = self.final
        return self.observations, self.rewards, self.ends, self.never, info


@pytest.mark.parametrize(
    "mode", ["SameStep", gymnasium.vector.AutoresetMode.SAME_STEP]
)
def test_batched_final_observations_and_reused_arrays(mode):
    adapter = as_vector(Board({"autoreset_mode": mode}))
    first = adapter.reset()
    steps = [adapter.step([1, 0]), adapter.step([0, 1]), adapter.step([0, 0])]
    np.testing.assert_array_equal(first, [[0], [1]])
    np.testing.assert_array_equal(
        [step.next_observation for step in steps],
        [[[1], [20]], [[20], [1]], [[1], [20]]],
    )
    np.testing.assert_array_equal(
        [step.observation for step in steps],
        [[[1], [0]], [[0], [1]], [[1], [0]]],
    )
    np.testing.assert_array_equal(
        [step.reward for step in steps], [[2, 1], [1, 2], [1, 1]]
    )
    np.testing.assert_array_equal(
        [step.terminated for step in steps],
        [[False, True], [True, False], [False, True]],
    )
    np.testing.assert_array_equal(
        [step.lives for step in steps], [[0, 1], [1, 0], [0, 1]]
    )
    assert np.all([step.valid for step in steps])


def test_next_step_is_what_no_metadata_means():
    adapter = as_vector(Board({}))
    adapter.reset()
    steps = [adapter.step([0, 0]) for _ in range(3)]
    np.testing.assert_array_equal(
        [step.valid for step in steps],
        [[True, True], [True, False], [False, True]],
    )


def test_a_final_observation_that_is_missing():
    board = Board({"autoreset_mode": "SameStep"})
    step = board.step
    board.step = lambda actions: (*step(actions)[:4], {"lives": board.lives})
    adapter = as_vector(board)
    adapter.reset()
    with pytest.raises(
        ValueError, match=r'`info\["final_obs"\]`.* keys \[\'lives\'\]'
    ):
        adapter.step([0, 0])


def test_wrapped_environments():
    limited = as_vector(TimeLimit(Diary((9,)), 2))
    limited.reset()
    steps = [limited.step([0]) for _ in range(3)]
    np.testing.assert_array_equal(
        [step.next_observation[0] for step in steps], [[0, 1], [0, 2], [1, 1]]
    )
    assert [bool(step.truncated[0]) for step in steps] == [False, True, False]

    counted = vector_wrappers.RecordEpisodeStatistics(
        SyncVectorEnv(makers(), copy=False)
    )
    check(play(as_vector(counted), 9), A_STEP_LATER)


def test_a_wrapper_that_changes_observations():
    environment = vector_wrappers.VectorizeTransformObservation(
        SyncVectorEnv(makers(), copy=False),
        TransformObservation,
        func=lambda observation: (observation.sum(keepdims=True) + 50).astype(
            np.float32
        ),
        observation_space=spaces.Box(0, 999, (1,), np.float32),
    )
    adapter = as_vector(environment)
    assert adapter.observation_shape == (1,)
    first = adapter.reset()
    steps = [adapter.step([0, 0]) for _ in range(3)]
    assert steps[0].next_observation.dtype == np.float32
    np.testing.assert_array_equal(first, [[50], [50]])
    # Row 0 sees (0, 1), (0, 2), (1, 0), row 1 (0, 1), (1, 0), (1, 1).
    np.testing.assert_array_equal(
        [step.next_observation for step in steps],
        [[[51], [51]], [[52], [51]], [[51], [52]]],
    )


def test_gymnasium_own_vector_environment():
    adapter = as_vector(
        gymnasium.make_vec(
            "CartPole-v1",
            num_envs=4,
            vectorization_mode="vector_entry_point",
        )
    )
    observation = adapter.reset(seed=0)
    generator = np.random.default_rng(0)
    ended = np.zeros(4, bool)
    num_ends = 0
    for _ in range(120):
        step = adapter.step(generator.integers(2, size=4))
        np.testing.assert_array_equal(step.valid, ~ended)
        np.testing.assert_array_equal(step.reward, step.valid.astype(float))
        moved = np.any(step.next_observation != observation, axis=1)
        assert moved.all()
        observation = step.observation
        ended = step.terminated | step.truncated
        num_ends += ended.sum()
    assert num_ends >= 8


def test_reset_forgets_a_fake_step_that_was_due():
    adapter = as_vector(SyncVectorEnv(makers()))
    adapter.reset()
    assert adapter.step([0, 0]).terminated[1]
    adapter.reset()
    assert adapter.step([0, 0]).valid.all()


@pytest.mark.parametrize("shared_memory", [True, False])
def test_a_fake_step_after_a_reset_is_no_transition(shared_memory):
    adapter = as_vector(
        AsyncVectorEnv(makers()[1:], shared_memory=shared_memory)
    )
    adapter.reset()
    assert adapter.step([0]).terminated[0]
    np.testing.assert_array_equal(adapter.reset(), [[1, 0]])
    step = adapter.step([0])
    # Without shared memory gymnasium ignores the action and resets once more.
    moved = shared_memory
    np.testing.assert_array_equal(
        step.observation, [[1, 1] if moved else [2, 0]]
    )
    np.testing.assert_array_equal(step.valid, [moved])
    assert adapter.step([0]).valid[0]
    adapter.close()


@pytest.mark.parametrize(
    "make",
    [
        lambda: gymnasium.make("CartPole-v1"),
        lambda: gymnasium.make_vec("CartPole-v1", 3, vectorization_mode="sync"),
    ],
)
def test_seeds_count_up_from_the_first_environment(make):
    adapter = as_vector(make())
    observations = adapter.reset(seed=np.int64(7))
    for row, observation in enumerate(observations):
        alone, _ = gymnasium.make("CartPole-v1").reset(seed=7 + row)
        np.testing.assert_array_equal(observation, alone)
    # Without a seed the randomness runs on.
    assert np.all(adapter.reset() != observations)


def test_a_seed_that_is_none():
    with pytest.raises(ValueError, match="`seed` must be a non-negative int"):
        as_vector(Diary((1,))).reset(seed=-1)


def test_lives_that_are_told_now_and_then():
    alone = as_vector(Silent((2,)))
    alone.reset()
    assert alone.lives is None
    np.testing.assert_array_equal(alone.step([0]).lives, [4])
    assert alone.step([0]).lives is None

    for mode in "SameStep", "Disabled":
        both = as_vector(SyncVectorEnv(makers(Silent), autoreset_mode=mode))
        both.reset()
        assert both.lives is None
        np.testing.assert_array_equal(both.step([0, 0]).lives, [4, -1])
        np.testing.assert_array_equal(both.step([0, 0]).lives, [-1, 4])


def test_no_lives():
    adapter = as_vector(gymnasium.make("CartPole-v1"))
    adapter.reset()
    assert adapter.step([1]).lives is None


def test_discrete_actions_count_from_zero():
    for environment in (
        Diary((9,), first_action=1),
        SyncVectorEnv(makers(first_action=-1)),
    ):
        adapter = as_vector(environment)
        assert adapter.num_actions == 3
        assert type(adapter.num_actions) is int
        adapter.reset()
        step = adapter.step([2] * adapter.num_envs)
        taken = 2 + adapter.action_space.start
        np.testing.assert_array_equal(step.reward, taken * 100 + 1)


@pytest.mark.parametrize(
    "environment",
    [Diary((9,)), SyncVectorEnv(makers(), autoreset_mode="SameStep")],
)
def test_actions_that_do_not_exist(environment):
    adapter = as_vector(environment)
    adapter.reset()
    with pytest.raises(ValueError, match=r"`actions` must be in \[0, 3\)"):
        adapter.step([3] * adapter.num_envs)
    with pytest.raises(ValueError, match="`actions` must be integers of shape"):
        adapter.step([0] * 3)


class Throttle(Diary):
    """Takes an array as its action and gives its sum as the reward."""

    def __init__(self, lengths):
        super().__init__(lengths)
        self.action_space = spaces.Box(-1, 1, (2,), np.float32)

    def step(self, action):
        assert self.action_space.contains(action)
        self.page[1] += 1
        return self.page.copy(), action.sum(), False, False, {}


def test_continuous_actions():
    for environment in (
        Throttle((9,)),
        SyncVectorEnv([lambda: Throttle((9,)), lambda: Throttle((9,))]),
    ):
        adapter = as_vector(environment)
        adapter.reset()
        actions = np.array([[0.5, 0.25], [-1.0, 0.25]])[: adapter.num_envs]
        np.testing.assert_array_equal(
            adapter.step(actions).reward, [0.75, -0.75][: adapter.num_envs]
        )
        with pytest.raises(
            ValueError, match=r"`actions` must have the shape .*, 2\)"
        ):
            adapter.step(actions[:, :1])
        with pytest.raises(
            ValueError, match=r"`Discrete` action space.* Received: .*Box"
        ):
            adapter.num_actions  # noqa: B018


def test_continuous_actions_are_clipped_to_their_bounds():
    for environment in (
        Throttle((9,)),
        SyncVectorEnv([lambda: Throttle((9,)), lambda: Throttle((9,))]),
    ):
        adapter = as_vector(environment)
        adapter.reset()
        actions = np.array([[3.0, 0.25], [-7.0, 1e300]])[: adapter.num_envs]
        given = actions.copy()
        # 1 + 0.25 and -1 + 1; the environment itself refuses what is outside.
        np.testing.assert_array_equal(
            adapter.step(actions).reward, [1.25, 0.0][: adapter.num_envs]
        )
        np.testing.assert_array_equal(actions, given)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_observations_have_the_dtype_of_their_space(dtype):
    class Typed(Diary):
        def __init__(self):
            super().__init__((9,))
            self.observation_space = spaces.Box(0, 99, (2,), dtype)

        def show(self):
            return self.page.astype(np.uint8)

    for environment in Typed(), SyncVectorEnv([Typed, Typed]):
        adapter = as_vector(environment)
        assert adapter.observation_dtype == np.dtype(dtype)
        assert adapter.observation_shape == (2,)
        assert adapter.reset().dtype == dtype
        step = adapter.step([0] * adapter.num_envs)
        assert step.observation.dtype == step.next_observation.dtype == dtype


@pytest.mark.parametrize(
    "mode, last",
    [("NextStep", [4, 0]), ("SameStep", [0, 2]), ("Disabled", [0, 2])],
)
def test_discrete_observations(mode, last):
    class Counter(Diary):
        def __init__(self, lengths):
            super().__init__(lengths)
            self.observation_space = spaces.Discrete(9)

        def show(self):
            return int(2 * self.page[1])

    alone = as_vector(Counter((2,)))
    assert alone.observation_shape == ()
    assert alone.observation_dtype == np.int64
    np.testing.assert_array_equal(alone.reset(), [0])
    np.testing.assert_array_equal(alone.step([0]).observation, [2])
    step = alone.step([0])
    np.testing.assert_array_equal(step.next_observation, [4])
    np.testing.assert_array_equal(step.observation, [0])

    both = as_vector(SyncVectorEnv(makers(Counter), autoreset_mode=mode))
    np.testing.assert_array_equal(both.reset(), [0, 0])
    np.testing.assert_array_equal(both.step([0, 0]).next_observation, [2, 2])
    step = both.step([0, 0])
    assert step.observation.dtype == np.int64
    np.testing.assert_array_equal(step.observation, last)


def test_fractions_are_not_cut_off_unseen():
    class Grey(Diary):
        def __init__(self):
            super().__init__((9,))
            self.observation_space = spaces.Box(0, 255, (2,), np.uint8)

    with pytest.raises(TypeError, match=r"from dtype\('float64'\) to .*uint8"):
        as_vector(Grey()).reset()


def test_observations_that_do_not_have_the_shape_of_their_space():
    class Liar(Diary):
        def show(self):
            return np.zeros(3)

    with pytest.raises(
        ValueError, match=r"Received: \(1, 3\) instead of \(1, 2"
    ):
        as_vector(Liar((1,))).reset()


def test_spaces_that_are_no_arrays():
    class Labelled(Diary):
        def __init__(self, observation=True):
            super().__init__((1,))
            space = spaces.Dict({"page": spaces.Tuple([spaces.Text(3)])})
            if observation:
                self.observation_space = space
            else:
                self.action_space = space

    for environment in Labelled(), SyncVectorEnv([Labelled]):
        with pytest.raises(
            ValueError,
            match=r"Received: observation_space\['page'\]\[0\]=Text",
        ):
            as_vector(environment)
    with pytest.raises(
        ValueError, match=r"Received: action_space\['page'\]\[0\]=Text.*\.$"
    ):
        as_vector(Labelled(observation=False))


def test_what_is_no_environment():
    for thing in "CartPole-v1", Diary, None:
        with pytest.raises(
            ValueError, match=r"must be a `gymnasium\.Env` .* Received: "
        ):
            as_vector(thing)


def test_an_adapter_is_its_own():
    environment = Diary((1,))
    adapter = as_vector(environment)
    assert isinstance(adapter, VectorAdapter)
    assert as_vector(adapter) is adapter
    assert adapter.environment is environment


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    "make",
    [
        lambda: OnFire((1,)),
        lambda: SyncVectorEnv(makers(OnFire)),
        lambda: AsyncVectorEnv(makers(OnFire)[:1]),
    ],
)
def test_an_error_of_the_environment_is_not_hidden(make):
    adapter = as_vector(make())
    adapter.reset()
    with pytest.raises(FloatingPointError, match="engine on fire"):
        adapter.step([0] * adapter.num_envs)
    adapter.close()


@pytest.mark.parametrize(
    "make",
    [
        lambda: Diary((9,), render_mode="rgb_array"),
        lambda: SyncVectorEnv(makers(render_mode="rgb_array")),
    ],
)
def test_render_shows_environment_0(make):
    adapter = as_vector(make())
    adapter.reset()
    # Environment 1 ends after its first step, environment 0 doesn't.
    adapter.step([0] * adapter.num_envs)
    adapter.step([0] * adapter.num_envs)
    frame = adapter.render()
    assert frame.dtype == np.uint8
    np.testing.assert_array_equal(frame, np.full((4, 6, 3), 2))


def test_render_of_an_environment_that_cannot():
    for environment in Diary((1,)), SyncVectorEnv(makers()):
        adapter = as_vector(environment)
        adapter.reset()
        with pytest.raises(
            ValueError, match=r"`render_mode=\"rgb_array\"`.*render_mode=None"
        ):
            adapter.render()

    class Blank(Diary):
        def render(self):
            return np.zeros((4, 6))

    adapter = as_vector(Blank((1,), render_mode="rgb_array"))
    with pytest.raises(ValueError, match=r"shape \(4, 6\) and dtype float64"):
        adapter.render()


def test_close_closes():
    class Closing(Diary):
        closed = 0

        def close(self):
            Closing.closed += 1

    as_vector(Closing((1,))).close()
    as_vector(SyncVectorEnv([lambda: Closing((1,))])).close()
    assert Closing.closed == 2


class Told(gymnasium.Env):
    """Returns `first`, then `value` for two steps, in a space of `dtype`."""

    action_space = spaces.Discrete(2)

    def __init__(self, dtype, value, first=None, flag=bool):
        info = np.iinfo if np.dtype(dtype).kind in "iu" else np.finfo
        low, high = info(dtype).min, info(dtype).max
        self.observation_space = spaces.Box(low, high, np.shape(value), dtype)
        self.value = value
        self.first = np.zeros_like(value) if first is None else first
        self.flag = flag

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps = 0
        return self.first, {"lives": self.flag(3)}

    def step(self, action):
        self.steps += 1
        end, never = self.flag(self.steps == 2), self.flag(False)
        return self.value, self.flag(1), end, never, {"lives": self.flag(2)}


class Many(VectorEnv):
    """Two environments of one dtype and another one in what they return."""

    def __init__(self, dtype, value, first, final, mode="SameStep"):
        self.metadata = {"autoreset_mode": mode}
        self.num_envs = 2
        shape = np.shape(value)[1:]
        self.single_observation_space = spaces.Box(0, 100, shape, dtype)
        self.single_action_space = spaces.Discrete(2)
        self.value, self.first, self.final = value, first, final

    def reset(self, *, seed=None, options=None):
        return self.first if options is None else self.final, {}

    def step(self, actions):
        never, one = np.zeros(2, bool), np.array([False, True])
        info = {"final_obs": self.final}
        return self.value, np.ones((2, 1)), one[:, None], never, info


BEYOND = [
    (np.int8, np.array([200, 0])),
    (np.uint8, np.array([-1, 0])),
    (np.int32, np.array([2**31 + 5, 0])),
    (np.float32, np.array([1e39, 0.0])),
    (np.float16, np.array([1e6, 0.0])),
    (np.float16, np.array([100_000, 0])),
]


@pytest.mark.parametrize("dtype, value", BEYOND)
def test_observations_beyond_the_dtype_of_their_space(dtype, value):
    message = (
        "`observation` must hold numbers that fit into dtype "
        f"{np.dtype(dtype)}. Received.*observation space"
    )
    adapter = as_vector(Told(dtype, value, first=value))
    with pytest.raises(ValueError, match=message):
        adapter.reset()
    adapter = as_vector(Told(dtype, value))
    adapter.reset()
    with pytest.raises(ValueError, match=message):
        adapter.step([0])

    bad, good = np.stack([value] * 2), np.zeros((2, 2), value.dtype)
    with pytest.raises(ValueError, match=message):
        as_vector(Many(dtype, good, bad, good)).reset()
    for given in (
        Many(dtype, bad, good, good),
        Many(dtype, good, good, bad),
        Many(dtype, good, good, bad, "Disabled"),
    ):
        adapter = as_vector(given)
        adapter.reset()
        with pytest.raises(ValueError, match=message):
            adapter.step([0, 0])


@pytest.mark.parametrize(
    "dtype, value",
    [
        (np.uint8, np.array([0, 255])),
        (np.int8, np.array([127, 0], np.uint64)),
        (np.float32, np.array([np.inf, np.nan])),
        (np.float32, np.array([3, -2])),
    ],
)
def test_observations_that_the_dtype_of_their_space_holds(dtype, value):
    adapter = as_vector(Told(dtype, value))
    adapter.reset()
    observation = adapter.step([0]).next_observation
    assert observation.dtype == dtype
    np.testing.assert_array_equal(observation, [value])

    rows = np.stack([value, value[::-1]])
    adapter = as_vector(Many(dtype, rows, rows, rows[::-1]))
    np.testing.assert_array_equal(adapter.reset(), rows)
    step = adapter.step([0, 0])
    np.testing.assert_array_equal(step.observation, rows)
    # Row 1 ended with what `final_obs` holds in row 1.
    np.testing.assert_array_equal(step.next_observation, [value, value])


def test_final_observations_of_another_kind():
    whole = np.zeros((2, 2), np.int64)
    adapter = as_vector(Many(np.int64, whole, whole, np.full((2, 2), 0.5)))
    adapter.reset()
    with pytest.raises(TypeError, match="`observation` must have the dtype"):
        adapter.step([0, 0])


def test_a_final_observation_that_one_row_lacks():
    class Forgetful(Many):
        def step(self, actions):
            *rest, info = super().step(actions)
            return *rest, {**info, "_final_obs": np.array([True, False])}

    zeros = np.zeros((2, 2), np.float32)
    adapter = as_vector(Forgetful(np.float32, zeros, zeros, zeros))
    adapter.reset()
    with pytest.raises(ValueError, match=r"`info\[\"final_obs\"\]`"):
        adapter.step([0, 0])


def test_numbers_in_arrays_of_one():
    environment = Told(np.float32, np.ones(2), flag=lambda x: np.array([x]))
    adapter = as_vector(environment)
    adapter.reset()
    steps = [adapter.step([0]) for _ in range(3)]
    assert [step.terminated.tolist() for step in steps] == [
        [False],
        [True],
        [False],
    ]
    for step in steps:
        assert step.truncated.tolist() == [False]
        assert step.reward.tolist() == [1.0]
    assert [step.lives.tolist() for step in steps] == [[2], [3], [2]]
    assert [step.next_lives.tolist() for step in steps] == [[2]] * 3

    zeros = np.zeros((2, 2), np.float32)
    adapter = as_vector(Many(np.float32, zeros, zeros, zeros))
    adapter.reset()
    step = adapter.step([0, 0])
    assert step.terminated.tolist() == [False, True]
    assert step.reward.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("name", ["terminated", "reward"])
def test_more_than_one_number(name):
    class Pair(Told):
        def step(self, action):
            observation, reward, *ends, info = super().step(action)
            ends[0] = [False, True] if name == "terminated" else False
            reward = [1.0, 2.0] if name == "reward" else 1.0
            return observation, reward, *ends, info

    adapter = as_vector(Pair(np.float32, np.ones(2)))
    adapter.reset()
    with pytest.raises(
        ValueError,
        match=rf"`environment` must return one `{name}` for each of its 1 .*"
        rf"Received: {name} of shape \(2,\)\.",
    ):
        adapter.step([0])


@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_infos_as_lists(mode):
    def make():
        return SyncVectorEnv(makers(), copy=False, autoreset_mode=mode)

    plain = as_vector(make())
    listed = as_vector(vector_wrappers.DictInfoToList(make()))
    table = A_STEP_LATER if mode == "NextStep" else AT_ONCE
    check(play(listed, len(table[0])), table)
    assert plain.environment.autoreset_mode.value == mode


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_infos_of_some_environments_only(mode, listed):
    # Row 1 tells of lives in no reset, only in its steps.
    environment = SyncVectorEnv(
        [lambda: Diary((9,)), lambda: Silent((2,))], autoreset_mode=mode
    )
    if listed:
        environment = vector_wrappers.DictInfoToList(environment)
    adapter = as_vector(environment)
    adapter.reset()
    assert adapter.lives.tolist() == [5, -1]
    adapter.step([0, 0])
    step = adapter.step([0, 0])
    # After two steps 3 are left, and row 1 has ended.
    assert step.next_lives.tolist() == [3, 3]
    later = mode == "NextStep"
    assert step.lives.tolist() == [3, 3 if later else -1]


def clipped(length=12):
    # Each step is worth 5 points, of which a learner sees 1.
    environment = gymnasium.wrappers.TransformReward(
        TimeLimit(Diary((99,)), length), lambda reward: 5.0
    )
    environment = gymnasium.wrappers.RecordEpisodeStatistics(environment)
    return gymnasium.wrappers.ClipReward(environment, -1, 1)


def vector_of_clipped(mode):
    environment = SyncVectorEnv(
        [
            lambda: TimeLimit(Diary((99,)), 2),
            lambda: TimeLimit(Diary((99,)), 3),
        ],
        autoreset_mode=mode,
    )
    environment = vector_wrappers.TransformReward(
        environment, lambda rewards: np.full(2, 5.0)
    )
    environment = vector_wrappers.RecordEpisodeStatistics(environment)
    return vector_wrappers.ClipReward(environment, -1, 1)


@pytest.mark.parametrize(
    "make",
    [
        lambda mode: SyncVectorEnv(
            [lambda: clipped(2), lambda: clipped(3)], autoreset_mode=mode
        ),
        vector_of_clipped,
        lambda mode: vector_wrappers.DictInfoToList(vector_of_clipped(mode)),
    ],
)
@pytest.mark.parametrize("mode", list(gymnasium.vector.AutoresetMode))
def test_true_returns_of_several_environments(make, mode):
    adapter = as_vector(make(mode))
    adapter.reset()
    steps = [adapter.step([0, 0]) for _ in range(3)]
    assert steps[0].episode_return is None
    np.testing.assert_array_equal(steps[1].episode_return, [10, np.nan])
    np.testing.assert_array_equal(steps[2].episode_return, [np.nan, 15])
    assert steps[0].reward.tolist() == [1.0, 1.0]


def test_true_returns_of_one_environment():
    adapter = as_vector(clipped(2))
    adapter.reset()
    told = [adapter.step([0]).episode_return for _ in range(4)]
    assert told[0] is None and told[2] is None
    assert told[1].tolist() == told[3].tolist() == [10.0]
    adapter = as_vector(TimeLimit(Diary((99,)), 1))
    adapter.reset()
    assert adapter.step([0]).episode_return is None


@pytest.mark.parametrize("action", [np.nan, np.inf, 1e39])
def test_actions_that_no_bound_clips_are_refused(action):
    environment = as_vector(gymnasium.make("Pendulum-v1").unwrapped)
    bounds = gymnasium.spaces.Box(-np.inf, np.inf, (1,), np.float32)
    environment.action_space = bounds
    environment.reset(seed=0)
    with pytest.raises(ValueError, match="`actions` must be finite in float32"):
        environment.step(np.array([[action]]))
