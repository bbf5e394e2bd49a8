import math

import numpy as np


class SyntheticEnvironments:
    """A vector of environments that play a given plan.

    Frames, actions and rewards name the environment, episode and step they
    come from, so a transition that is put together wrongly shows.

    Args:
        num_envs: Number of environments.
        observation_shape: With `frame_stack`, its last axis is the stack.
        observation_dtype: Dtype of the observations.
        frame_stack: Frames in an observation, or `None` for no stack axis.
        episodes: List of `(length, end)`, where end is "terminated",
            "truncated" or "both". Played in a circle; environment number e
            starts with entry number e.
        padding: What an episode's first stack holds before its first frame:
            "zeros", "repeat" (that frame again), "carry" (the last frames of
            the episode before) or "noise" (frames never seen before).
        autoreset: "same_step" or "next_step" (a fake row follows each end).
        moves: How many new frames each step pushes into the stack, in a
            circle. 1 is the usual window, 0 a stack that stands still, more
            an environment that skips frames, -1 one that changes the oldest
            frame in place, so that no shift explains the new stack.
        content: "unique" (no two frames are equal), "alike" (every episode
            shows the same frames) or "still" (every frame is the same).
    """

    def __init__(
        self,
        num_envs,
        observation_shape,
        observation_dtype,
        frame_stack=None,
        episodes=((5, "terminated"),),
        padding="zeros",
        autoreset="same_step",
        moves=(1,),
        content="unique",
    ):
        self.num_envs = num_envs
        self.dtype = np.dtype(observation_dtype)
        self.frame_stack = frame_stack
        self.frame_shape = observation_shape[: -1 if frame_stack else None]
        self.episodes = episodes
        self.padding = padding
        self.next_step = autoreset == "next_step"
        self.moves = moves
        self.content = content
        self.steps = 0
        self.episode = [-1] * num_envs
        self.step_in_episode = [0] * num_envs
        self.needs_reset = [False] * num_envs
        self.stacks = [
            [np.zeros(self.frame_shape, self.dtype)] * (frame_stack or 1)
        ] * num_envs
        for environment in range(num_envs):
            self.reset(environment)

    def frame(self, environment, part=0):
        episode = self.episode[environment]
        step = self.step_in_episode[environment]
        if self.content != "unique":
            episode = 0
        if self.content == "still":
            step = part = 0
        size = math.prod(self.frame_shape)
        if size >= 4:
            fields = [environment + 1, episode % 250, step + 1, part]
            frame = np.resize(fields, size)
        else:
            number = environment + 1 + 10 * (part + 8 * (step + 100 * episode))
            frame = number + np.arange(size) / 4
        return frame.astype(self.dtype).reshape(self.frame_shape)

    def observation(self, environment):
        stack = self.stacks[environment]
        return np.stack(stack, axis=-1) if self.frame_stack else stack[-1]

    def reset(self, environment):
        self.episode[environment] += 1
        self.step_in_episode[environment] = 0
        self.needs_reset[environment] = False
        first = self.frame(environment)
        before = self.stacks[environment][1:]
        if self.padding == "zeros":
            before = [np.zeros_like(first) for _ in before]
        elif self.padding == "repeat":
            before = [first for _ in before]
        elif self.padding == "noise":
            before = [
                self.frame(environment, part + 1) for part in range(len(before))
            ]
        self.stacks[environment] = [*before, first]

    def move(self, environment):
        self.step_in_episode[environment] += 1
        stack = self.stacks[environment]
        move = self.moves[self.steps % len(self.moves)]
        if move < 0:
            self.stacks[environment] = [self.frame(environment), *stack[1:]]
        else:
            new = [self.frame(environment, part) for part in range(move)]
            self.stacks[environment] = [*stack, *new][-len(stack) :]

    def step(self, dropped=()):
        """Returns one step of every environment, as `add` takes it.

        The rows of the environments in `dropped` are marked as not valid,
        although these environments move on like the others.
        """
        rows = {
            "observation": [],
            "action": [],
            "reward": [],
            "terminated": [],
            "truncated": [],
            "next_observation": [],
            "valid": [],
        }
        for environment in range(self.num_envs):
            self.step_one(environment, rows)
        for environment in dropped:
            rows["valid"][environment] = False
        self.steps += 1
        rows = {name: np.array(values) for name, values in rows.items()}
        if rows["valid"].all() and self.steps % 2:
            del rows["valid"]
        return rows

    def step_one(self, environment, rows):
        rows["observation"].append(self.observation(environment))
        # Unique, so that an action tells which step it was taken in.
        action = self.steps * self.num_envs + environment
        # One sign for a whole episode: n-step sums don't cancel.
        sign = -1 if self.episode[environment] % 2 else 1
        reward, terminated, truncated = sign * (action + 1) / 7, False, False
        fake = self.needs_reset[environment]
        if fake:
            self.reset(environment)
            reward = 0.0
        else:
            self.move(environment)
            plan = self.episode[environment] + environment
            length, end = self.episodes[plan % len(self.episodes)]
            if self.step_in_episode[environment] >= length:
                terminated = end in ("terminated", "both")
                truncated = end in ("truncated", "both")
        rows["action"].append(action)
        rows["reward"].append(reward)
        rows["terminated"].append(terminated)
        rows["truncated"].append(truncated)
        rows["next_observation"].append(self.observation(environment))
        rows["valid"].append(not fake)
        if terminated or truncated:
            if self.next_step:
                self.needs_reset[environment] = True
            else:
                self.reset(environment)
