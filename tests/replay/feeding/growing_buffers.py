import numpy as np

from keras_rlkit.replay import ReplayBuffer


def grow(buffer, steps):
    no = np.zeros(1, bool)
    for step in steps:
        now, then = np.array([step], "int32"), np.array([step + 1], "int32")
        buffer.add(now, np.zeros(1, int), np.ones(1), no, no, then)


def filled(count):
    buffer = ReplayBuffer(20, (), "int32", seed=0)
    grow(buffer, range(count))
    return buffer
