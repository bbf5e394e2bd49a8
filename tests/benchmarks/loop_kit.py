"""The kit's whole loop, `fit` with `CollectSteps`, measured on command.

Works: `run N` plays N environment steps, training between them; `split N` also
tells which share of the time each part takes.
"""

import gymnasium
import keras
import networks
from answering import serve
from recorded_play import NUM_ENVS, Recording

import keras_rlkit as rlk

PACKAGES = ("keras", "tensorflow", "jax", "numpy", "ale-py", "gymnasium")


def cartpole(num_envs: int) -> object:
    """Return CartPole, several in one vector where several are asked for."""
    if num_envs == 1:
        return gymnasium.make("CartPole-v1")
    return gymnasium.make_vec("CartPole-v1", num_envs=num_envs)


class Loop:
    """An agent that plays and learns.

    Args:
        task: `"nature"` (Space Invaders, network of Mnih et al. 2015),
            `"dueling"` (the same game, small dueling network), `"tutorial"`
            (that, as the tutorial sets it) or `"cartpole"`.
        num_envs: Environments that are played together.
        steps_per_execution: Gradient steps in one call from Python.
        batch: Transitions of a batch.
        steps_per_update: Environment steps for a gradient step.
        units: Sizes of CartPole's dense layers.
        double: Whether it is double Q-learning.
        dtype: Keras' dtype policy.
        capacity: Of the buffer.
        full: Whether the buffer is filled to its capacity beforehand.
    """

    def __init__(
        self,
        task: str,
        num_envs: int = 8,
        steps_per_execution: int = 8,
        batch: int = 32,
        steps_per_update: int = 4,
        units: tuple[int, ...] = (256, 256),
        double: bool = False,
        dtype: str = "float32",
        capacity: int = 20_000,
        full: bool = False,
    ):
        keras.config.set_dtype_policy(dtype)
        target, learning_rate = {"target_update_period": 250}, 1e-4
        if task == "cartpole":
            environment = cartpole(num_envs)
            network = networks.dense(units)
        elif task == "tutorial":
            environment = rlk.environments.atari(
                "space_invaders", num_envs, (105, 80), frame_skip=1, seed=0
            )
            network = networks.dueling((105, 80))
            target, learning_rate = {"target_update_rate": 0.08}, 1e-3
        else:
            environment = rlk.environments.atari(
                "space_invaders", num_envs, seed=0
            )
            network = getattr(networks, task)()
        atari = task != "cartpole"
        self.replay = rlk.replay.ReplayBuffer.for_environment(
            environment, capacity, frame_stack=4 if atari else None, seed=0
        )
        if full and atari:
            self._fill()
        self.agent = rlk.models.DoubleDQN(network, double=double, **target)
        on_tensorflow = keras.backend.backend() == "tensorflow"
        self.agent.compile(
            optimizer=keras.optimizers.Adam(learning_rate),
            loss=keras.losses.Huber(),
            steps_per_execution=steps_per_execution,
        )
        self.collect = rlk.callbacks.CollectSteps(
            environment,
            self.replay,
            rlk.policies.EpsilonGreedy(0.1, seed=0),
            steps_per_update=steps_per_update,
            warmup_steps=capacity if full and not atari else 1_000,
            reward_range=(-1, 1) if task == "nature" else None,
            seed=0,
        )
        name = "dataset" if on_tensorflow else "batches"
        self.batches = getattr(self.replay, name)(batch)
        self.executions = steps_per_execution
        self.run(4 * steps_per_execution * steps_per_update)

    def run(self, steps: int) -> int:
        """Play about so many steps; return how many it were."""
        before = self.collect.environment_steps
        self._fit(steps)
        return self.collect.environment_steps - before

    def split(self, steps: int) -> dict:
        """As `run`; return the share of each part of the time in percent."""
        self.collect.log_time = True
        logs = self._fit(steps)
        self.collect.log_time = False
        return {
            name.removeprefix("time_"): 100 * values[-1]
            for name, values in logs.items()
            if name.startswith("time_")
        }

    def _fit(self, steps: int) -> dict:
        updates = steps / self.collect.steps_per_update
        whole = max(1, round(updates / self.executions)) * self.executions
        history = self.agent.fit(
            self.batches,
            steps_per_epoch=whole,
            callbacks=[self.collect],
            shuffle=False,
            verbose=0,
        )
        return history.history

    def _fill(self) -> None:
        recording = Recording(1_000)
        added = 0
        for step in recording.play():
            if added >= self.replay.capacity:
                return
            self.replay.add(*step)
            added += NUM_ENVS


def make(settings: dict) -> dict:
    """Return the works of a loop."""
    loop = Loop(**settings)
    return {"run": loop.run, "split": loop.split}


if __name__ == "__main__":
    serve(make, PACKAGES)
