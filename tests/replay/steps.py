import numpy as np

from keras_rlkit.replay import ReplayBuffer

NO = np.array([False])


def make(**arguments):
    return ReplayBuffer(
        **{
            "capacity": 10,
            "observation_shape": (3,),
            "observation_dtype": "float32",
            "seed": 0,
            "num_actions": 2,
            **arguments,
        }
    )


def step(**changes):
    return {
        "observation": np.zeros((1, 3), "float32"),
        "action": np.array([1]),
        "reward": np.array([1.0]),
        "terminated": NO,
        "truncated": NO,
        "next_observation": np.ones((1, 3), "float32"),
        **changes,
    }
