import keras

import keras_rlkit as rlk


def data_of(buffer, **arguments):
    if keras.backend.backend() == "tensorflow":
        return buffer.dataset(**arguments)
    return buffer.batches(**arguments)


class Look(keras.callbacks.Callback):
    """Keeps what the buffer holds in every epoch."""

    def __init__(self, buffer):
        super().__init__()
        self.buffer = buffer
        self.epochs = []

    def on_epoch_begin(self, epoch, logs=None):
        self.epochs.append(self.buffer.samples())


def contract_parts(**amount):
    """What the contract of an on-policy collector is checked with."""
    environment = rlk.testing.CounterEnvironment((3, 5), truncates=True)
    buffer = rlk.replay.EpisodeBuffer.for_environment(
        environment, 0.9, lambda_=0.5, seed=0
    )
    networks = [
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(units)])
        for units in (2, 1)
    ]
    agent = rlk.models.ActorCritic(*networks, clip=0.2)
    agent.compile("adam")
    arguments = {
        "environment": environment,
        "buffer": buffer,
        "policy": rlk.policies.Categorical(seed=1),
        **amount,
        "reward_range": (-0.5, 0.5),
        "reward_scale": 0.3,
        "seed": 1,
        "normalize_rewards": True,
    }
    return arguments, agent, {"x": data_of(buffer, minibatches=2)}
