"""One replay buffer, measured on command; `replay_buffers.py` runs this.

Runs in the environment of the library that it measures and needs nothing but
NumPy and that library. Fills the buffer with recorded play; works: `sample N`
draws N batches, `update N` gives new priorities to each as well.
"""

import importlib.metadata
import pathlib
import time

import numpy as np
from answering import serve

STACK, BATCH = 4, 32


class Play:
    """Steps of recorded play, over and over."""

    def __init__(self, path: str):
        recording = np.load(path)
        self.frames, self.ends = recording["frames"], recording["ends"]
        self.at = 0
        self.begin()

    def begin(self) -> None:
        self.at = (self.at + 1) % (len(self.frames) - 1)
        self.stack = [self.frames[self.at]] * STACK

    def steps(self, count: int, axis: int) -> list[tuple]:
        """Return steps (observation, action, reward, end, next)."""
        made = []
        for _ in range(count):
            observation = np.stack(self.stack, axis)
            self.at = (self.at + 1) % (len(self.frames) - 1)
            self.stack = [*self.stack[1:], self.frames[self.at]]
            end = bool(self.ends[self.at])
            following = np.stack(self.stack, axis)
            action, reward = self.at % 6, float(self.at % 7 == 0)
            made.append((observation, action, reward, end, following))
            if end:
                self.begin()
        return made


class Gather:
    """As many bytes, gathered by NumPy: what memory allows."""

    axis = 0
    packages = ("numpy",)

    def __init__(self, capacity, option):
        self.frames = np.zeros((capacity, 84, 84), np.uint8)
        self.random = np.random.default_rng(0)
        self.capacity, self.count = capacity, 0

    def add(self, observation, action, reward, end, following):
        self.frames[self.count % self.capacity] = following[-1]
        self.count += 1

    def sample(self):
        rows = self.random.integers(self.capacity, size=BATCH * (STACK + 1))
        return self.frames.take(rows, axis=0, mode="clip")


class KerasRLKit:
    """This kit, with any storage and sampler."""

    axis = -1
    packages = ("keras", "numpy")

    def __init__(self, capacity, option):
        import keras_rlkit as rlk

        arguments = {}
        self.read = "sample"
        if option == "prioritized":
            arguments["sampler"] = rlk.replay.Prioritized()
        elif option == "contiguous":
            self.read = "draw"
        elif option:
            arguments["storage"] = option
        self.buffer = rlk.replay.ReplayBuffer(
            capacity, (84, 84, STACK), "uint8", frame_stack=STACK, seed=0,
            **arguments,
        )  # fmt: skip
        if option != "prioritized":
            self.update = None
        self.no = np.array([False])
        self.errors = np.random.default_rng(0).random((64, BATCH))

    def add(self, observation, action, reward, end, following):
        self.buffer.add(
            observation[None],
            np.array([action]),
            np.array([reward]),
            np.array([end]),
            self.no,
            following[None],
        )

    def sample(self):
        self.last = getattr(self.buffer, self.read)(BATCH)

    def update(self, count):
        self.sample()
        self.buffer.update_priorities(
            self.last[1]["index"], self.errors[count % 64]
        )


class StableBaselines3:
    """Its buffer; `optimize_memory_usage` stores observations once."""

    axis = 0
    packages = ("stable-baselines3", "torch")
    update = None

    def __init__(self, capacity, option):
        import gymnasium
        from stable_baselines3.common.buffers import ReplayBuffer

        self.buffer = ReplayBuffer(
            capacity,
            gymnasium.spaces.Box(0, 255, (STACK, 84, 84), np.uint8),
            gymnasium.spaces.Discrete(6),
            device="cpu",
            optimize_memory_usage=True,
            handle_timeout_termination=False,
        )

    def add(self, observation, action, reward, end, following):
        self.buffer.add(
            observation[None],
            following[None],
            np.array([[action]]),
            np.array([reward]),
            np.array([end]),
            [{}],
        )

    def sample(self):
        self.buffer.sample(BATCH)


class Cpprb:
    """Its buffers that keep each frame of a stack once."""

    axis = -1
    packages = ("cpprb", "numpy")

    def __init__(self, capacity, option):
        import cpprb

        layout = {
            "obs": {"shape": (84, 84, STACK), "dtype": np.uint8},
            "act": {"dtype": np.int64},
            "rew": {"dtype": np.float32},
            "done": {"dtype": np.float32},
        }
        once = {"next_of": "obs", "stack_compress": "obs"}
        if option == "prioritized":
            self.buffer = cpprb.PrioritizedReplayBuffer(
                capacity, layout, alpha=0.6, **once
            )
            self.arguments = {"beta": 0.4}
        else:
            self.buffer = cpprb.ReplayBuffer(capacity, layout, **once)
            self.arguments, self.update = {}, None
        self.errors = np.random.default_rng(0).random((64, BATCH)) + 1e-6

    def add(self, observation, action, reward, end, following):
        self.buffer.add(
            obs=observation, act=action, rew=reward, next_obs=following,
            done=end,
        )  # fmt: skip
        if end:
            self.buffer.on_episode_end()

    def sample(self):
        self.last = self.buffer.sample(BATCH, **self.arguments)

    def update(self, count):
        self.sample()
        self.buffer.update_priorities(
            self.last["indexes"], self.errors[count % 64]
        )


class Tianshou:
    """Its buffers, told to keep the newest frame of a stack only."""

    axis = 0
    packages = ("tianshou", "numpy")

    def __init__(self, capacity, option):
        from tianshou.data import Batch, PrioritizedReplayBuffer, ReplayBuffer

        self.batch = Batch
        once = {
            "stack_num": STACK,
            "save_only_last_obs": True,
            "ignore_obs_next": True,
        }
        if option == "prioritized":
            self.buffer = PrioritizedReplayBuffer(
                capacity, alpha=0.6, beta=0.4, **once
            )
        else:
            self.buffer, self.update = ReplayBuffer(capacity, **once), None
        self.errors = np.random.default_rng(0).random((64, BATCH)) + 1e-6

    def add(self, observation, action, reward, end, following):
        step = self.batch(
            obs=observation, act=action, rew=reward, terminated=end,
            truncated=False, obs_next=following, info={},
        )  # fmt: skip
        self.buffer.add(step)

    def sample(self):
        # What a batch is used for: both observations.
        batch, self.index = self.buffer.sample(BATCH)
        return batch.obs, batch.obs_next

    def update(self, count):
        self.sample()
        self.buffer.update_weight(self.index, self.errors[count % 64])


class TorchRL:
    """Its buffers over memory."""

    axis = 0
    packages = ("torchrl", "torch")

    def __init__(self, capacity, option):
        import torch
        import torchrl.data as data
        from tensordict import TensorDict

        self.torch, self.dictionary = torch, TensorDict
        storage = data.LazyTensorStorage(capacity)
        if option == "prioritized":
            self.buffer = data.TensorDictPrioritizedReplayBuffer(
                alpha=0.6, beta=0.4, storage=storage, batch_size=BATCH,
                priority_key="td_error",
            )  # fmt: skip
        else:
            self.buffer = data.TensorDictReplayBuffer(
                storage=storage, batch_size=BATCH
            )
            self.update = None
        self.errors = torch.rand(64, BATCH) + 1e-6

    def add(self, observation, action, reward, end, following):
        tensor = self.torch.tensor
        after = {
            "pixels": self.torch.from_numpy(following),
            "reward": tensor([reward]),
            "done": tensor([end]),
        }
        step = {
            "pixels": self.torch.from_numpy(observation),
            "action": tensor(action),
            "next": self.dictionary(after, []),
        }
        self.buffer.add(self.dictionary(step, []))

    def sample(self):
        self.last = self.buffer.sample()

    def update(self, count):
        self.sample()
        self.last["td_error"] = self.errors[count % 64]
        self.buffer.update_tensordict_priority(self.last)


KINDS = {
    "gather": Gather,
    "kit": KerasRLKit,
    "sb3": StableBaselines3,
    "cpprb": Cpprb,
    "tianshou": Tianshou,
    "torchrl": TorchRL,
}


def memory() -> int:
    """Return the bytes of this process that no file backs."""
    status = pathlib.Path("/proc/self/status").read_text()
    for line in status.splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    return 0


def fill(buffer, play: Play, capacity: int) -> list[float]:
    """Add steps; return microseconds a step, for each 500 of them."""
    microseconds = []
    for _ in range(0, capacity, 500):
        steps = play.steps(500, buffer.axis)
        start = time.perf_counter()
        for step in steps:
            buffer.add(*step)
        microseconds.append((time.perf_counter() - start) / 500 * 1e6)
    return microseconds


def make(settings: dict) -> dict:
    """Fill a buffer; return the works on it."""
    name, _, option = settings["kind"].partition(":")
    frames, capacity = settings["frames"], settings["capacity"]
    # What a library loads or compiles at first is no stored data.
    small = KINDS[name](1_000, option)
    fill(small, Play(frames), 1_000)
    small.sample()
    del small
    before = memory()
    buffer = KINDS[name](capacity, option)
    added = fill(buffer, Play(frames), capacity)
    report = {
        "bytes": (memory() - before) / capacity,
        "add": [float(value) for value in np.quantile(added, [0.5, 0, 1])],
        "versions": {p: importlib.metadata.version(p) for p in buffer.packages},
    }

    def sample(count: int) -> None:
        for _ in range(count):
            buffer.sample()

    def update(count: int) -> None:
        for number in range(count):
            buffer.update(number)

    works = {"sample": sample, "report": report}
    if getattr(buffer, "update", None) is not None:
        works["update"] = update
    return works


if __name__ == "__main__":
    serve(make, ())
