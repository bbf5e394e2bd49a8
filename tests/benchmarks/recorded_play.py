"""Space Invaders played at random once, to be stored again and again."""

import numpy as np

STACK, FRAME, NUM_ENVS = 4, (84, 84), 8


class Recording:
    """Play of several games at random, to be fed to buffers again and again.

    Args:
        steps: How often all environments are stepped.
    """

    def __init__(self, steps: int):
        import keras_rlkit as rlk

        environment = rlk.environments.atari(
            "space_invaders", num_envs=NUM_ENVS, frame_stack=STACK, seed=0
        )
        generator = np.random.default_rng(0)
        num_actions = environment.single_action_space.n
        self._steps = []
        self._frames = np.empty((steps, NUM_ENVS, *FRAME), np.uint8)
        self._first = environment.reset()[0]
        for frames in self._frames:
            action = generator.integers(num_actions, size=NUM_ENVS)
            now, reward, terminated, truncated, info = environment.step(action)
            frames[...] = now[..., -1]
            begun = {}
            for row in np.flatnonzero(terminated | truncated):
                begun[row] = now[row].copy()
                frames[row] = info["final_obs"][row][..., -1]
            self._steps.append((action, reward, terminated, truncated, begun))

    def play(self):
        """Yield the arguments of `ReplayBuffer.add`, for ever."""
        while True:
            stack = np.moveaxis(self._first, -1, 1)
            for frames, (*step, begun) in zip(
                self._frames, self._steps, strict=True
            ):
                following = np.empty((NUM_ENVS, STACK, *FRAME), np.uint8)
                following[:, :-1], following[:, -1] = stack[:, 1:], frames
                now, then = (np.moveaxis(s, 1, -1) for s in (stack, following))
                yield now, *step, then
                stack = following
                for row, observation in begun.items():
                    stack = stack.copy()
                    stack[row] = np.moveaxis(observation, -1, 0)
