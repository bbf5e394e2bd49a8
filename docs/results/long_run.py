"""Train on CartPole for long; does memory grow, is anything traced again?

    python docs/results/long_run.py --steps 200000
    KERAS_BACKEND=jax python docs/results/long_run.py --steps 200000

Prints the resident memory after each epoch, and ends with 1 if it grew by 1 %
or more after the first fifth of the run, or if a step was traced again.
"""

import argparse
import sys
import tempfile
import time

import gymnasium
import keras
import psutil

import keras_rlkit as rlk

EPOCHS = 40


class CountTraces(rlk.models.DoubleDQN):
    """Counts how often Python runs: once for each trace."""

    traces = 0

    def call(self, observation, training=None):
        CountTraces.traces += 1
        return super().call(observation, training=training)


class WatchMemory(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.resident, self.traces = [], []
        self.begin = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.resident.append(psutil.Process().memory_info().rss / 2**20)
        self.traces.append(CountTraces.traces)
        score = logs.get("episode_return")
        print(
            f"epoch {epoch + 1:3}: {self.resident[-1]:8.1f} MiB, "
            f"{self.traces[-1]} traces, "
            f"{time.perf_counter() - self.begin:6.0f} s, "
            + ("no episode ended" if score is None else f"return {score:5.1f}"),
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=200_000)
    arguments = parser.parse_args()
    keras.utils.set_random_seed(0)
    environment = gymnasium.make("CartPole-v1")
    replay = rlk.replay.ReplayBuffer.for_environment(environment, 50_000)
    agent = CountTraces(
        keras.Sequential(
            [
                keras.Input((4,)),
                keras.layers.Dense(64, activation="relu"),
                rlk.layers.DuelingHead(2, units=64),
            ]
        )
    )
    agent.compile("adam", keras.losses.Huber(), steps_per_execution=8)
    on_tensorflow = keras.backend.backend() == "tensorflow"
    make_data = replay.dataset if on_tensorflow else replay.batches
    watch = WatchMemory()
    with tempfile.TemporaryDirectory() as folder:
        agent.fit(
            make_data(32),
            epochs=EPOCHS,
            steps_per_epoch=arguments.steps // EPOCHS,
            callbacks=[
                rlk.callbacks.ResumeTraining(folder),
                rlk.callbacks.CollectSteps(
                    environment,
                    replay,
                    rlk.policies.EpsilonGreedy(0.1),
                    steps_per_update=1,
                    warmup_steps=1_000,
                    seed=0,
                ),
                watch,
            ],
            verbose=0,
        )
    warm = EPOCHS // 5
    growth = max(watch.resident[warm:]) / watch.resident[warm - 1] - 1
    retraced = watch.traces[-1] - watch.traces[0]
    print(
        f"{arguments.steps:,} gradient steps, {keras.backend.backend()}: "
        f"resident memory grew by {growth:.2%} after epoch {warm}, "
        f"{retraced} traces after epoch 1"
    )
    return growth >= 0.01 or retraced > 0


if __name__ == "__main__":
    sys.exit(main())
