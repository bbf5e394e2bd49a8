"""Stable-Baselines3 in a process of its own, for the measurement on a GPU.

Works by commands from standard input: `learn N` and `act N`.
"""

import importlib.metadata
import json
import subprocess
import sys
import tempfile
import time

from gpu_settings import (
    BATCH,
    CAPACITY,
    DISCOUNT,
    EPSILON,
    LEARNING_RATE,
    PEER_NUM_ENVS,
    QUICK_WARMUP,
    STACK,
    STEPS_PER_UPDATE,
    TARGET_PERIOD,
    WARMUP,
)


def versions(names: tuple[str, ...]) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def serve_peer(num_envs: int, warmup: int) -> None:
    """Train Stable-Baselines3's DQN by commands from standard input."""
    import ale_py
    import gymnasium
    import stable_baselines3 as sb3
    import torch
    from stable_baselines3.common.env_util import make_atari_env
    from stable_baselines3.common.vec_env import VecFrameStack

    gymnasium.register_envs(ale_py)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    environment = VecFrameStack(
        make_atari_env(
            "ALE/SpaceInvaders-v5",
            n_envs=num_envs,
            seed=0,
            wrapper_kwargs={"terminal_on_life_loss": False},
            env_kwargs={"frameskip": 1, "repeat_action_probability": 0.0},
        ),
        STACK,
    )
    # One step of all environments is followed by as many gradient steps as
    # keep the ratio.
    freq = max(1, STEPS_PER_UPDATE // num_envs)
    model = sb3.DQN(
        "CnnPolicy",
        environment,
        learning_rate=LEARNING_RATE,
        buffer_size=CAPACITY,
        optimize_memory_usage=False,
        learning_starts=warmup,
        batch_size=BATCH,
        train_freq=freq,
        gradient_steps=freq * num_envs // STEPS_PER_UPDATE,
        gamma=DISCOUNT,
        target_update_interval=TARGET_PERIOD * STEPS_PER_UPDATE,
        exploration_fraction=1e-6,
        exploration_final_eps=EPSILON,
        seed=0,
        device=device,
    )
    model.learn(warmup + 100)
    observation = environment.reset()

    def learn(steps: int) -> dict:
        steps_before, updates_before = model.num_timesteps, model._n_updates
        start = time.perf_counter()
        model.learn(steps, reset_num_timesteps=False)
        if device == "cuda":
            torch.cuda.synchronize()
        return {
            "seconds": time.perf_counter() - start,
            "steps": model.num_timesteps - steps_before,
            "updates": model._n_updates - updates_before,
        }

    def act(count: int) -> dict:
        model.predict(observation, deterministic=True)
        start = time.perf_counter()
        for _ in range(count):
            model.predict(observation, deterministic=True)
        return {"seconds": time.perf_counter() - start, "steps": count}

    names = ("stable-baselines3", "torch")
    answer({"device": device, "versions": versions(names)})
    for line in sys.stdin:
        command, count = line.split()
        answer({"learn": learn, "act": act}[command](int(count)))


def answer(message: dict) -> None:
    """Write an answer of a peer."""
    print("@" + json.dumps(message), flush=True)


class Peer:
    """Stable-Baselines3 in another process."""

    def __init__(self, interpreter: str, num_envs: int, quick: bool):
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [interpreter, __file__, str(num_envs)] + ["--quick"] * quick,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        self.about: dict = {}

    def wait(self) -> None:
        """Wait until it is warmed up."""
        self.about = self._answer()

    def ask(self, command: str, count: int) -> dict:
        """Let it measure something."""
        self.process.stdin.write(f"{command} {count}\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict:
        for line in self.process.stdout:
            if line.startswith("@"):
                return json.loads(line[1:])
        self.log.seek(0)
        error = self.log.read().strip().splitlines()
        raise RuntimeError(error[-1] if error else "no answer")


def start_peers(interpreter: str, quick: bool) -> dict[int, Peer]:
    """Start the peers, which then warm up on their own."""
    if interpreter == "install":
        from peer_environments import python_of

        interpreter = python_of("sb3")
    return {count: Peer(interpreter, count, quick) for count in PEER_NUM_ENVS}


if __name__ == "__main__":
    serve_peer(
        int(sys.argv[1]), QUICK_WARMUP if "--quick" in sys.argv else WARMUP
    )
