"""A short DQN loop written in torch by hand, measured on command.

Nothing but the algorithm: no library around it. Works: `run N` plays N
environment steps, training between them.
"""

import numpy as np
import peer_tasks
import torch
from answering import serve
from peer_torch import Network, device


class Vectors:
    """Transitions of small observations."""

    def __init__(self, capacity: int, first: np.ndarray):
        self.now = np.zeros((capacity, *first.shape), first.dtype)
        self.then = np.zeros_like(self.now)
        self.count = 0

    def put(self, now, then, ended) -> int:
        """Store observations; return the place."""
        place = self.count % len(self.now)
        self.now[place], self.then[place] = now, then
        self.count += 1
        return place

    def draw(self, random, batch) -> tuple:
        """Return places and their observations."""
        places = random.integers(min(self.count, len(self.now)), size=batch)
        return places, self.now[places], self.then[places]


class Frames:
    """Transitions of stacks of four frames, each frame stored once."""

    def __init__(self, capacity: int, first: np.ndarray):
        self.frames = np.zeros((capacity, *first.shape[1:]), first.dtype)
        # Steps since the episode began, and what is no transition.
        self.age = np.zeros(capacity, np.int64)
        self.last = np.zeros(capacity, bool)
        self.count = self.now = 0

    def put(self, now, then, ended) -> int:
        """Store observations; return the place."""
        place = self._put(now[-1], False)
        if ended:
            self._put(then[-1], True)
        return place

    def _put(self, frame, last) -> int:
        place = self.count % len(self.frames)
        self.frames[place], self.last[place] = frame, last
        self.age[place] = self.now
        self.now = 0 if last else self.now + 1
        self.count += 1
        return place

    def draw(self, random, batch) -> tuple:
        """Return places and their observations."""
        newest = min(self.count, len(self.frames)) - 1
        head = self.count % len(self.frames)
        places = np.empty(0, np.int64)
        while len(places) < batch:
            more = random.integers(4, newest, batch)
            good = ~self.last[more] & ((more + 1 < head) | (more - 4 >= head))
            places = np.concatenate([places, more[good]])
        places = places[:batch]
        back = np.minimum([3, 2, 1, 0], self.age[places][:, None])
        now = self.frames[places[:, None] - back]
        then = np.concatenate([now[:, 1:], self.frames[places + 1][:, None]], 1)
        return places, now, then


class Loop:
    """An agent that plays and learns."""

    def __init__(self, task: str, batch: int = 32, units: tuple = ()):
        torch.manual_seed(0)
        self.random = np.random.default_rng(0)
        self.environment = peer_tasks.make_environment(task)
        self.num_actions = int(self.environment.action_space.n)
        self.batch = batch
        self.device = device()
        self.online = Network(task, list(units)).to(self.device)
        self.target = Network(task, list(units)).to(self.device)
        self.optimizer = torch.optim.Adam(
            self.online.parameters(), lr=peer_tasks.LEARNING_RATE
        )
        capacity = peer_tasks.CAPACITY
        self.observation = np.asarray(self.environment.reset(seed=0)[0])
        memory = Vectors if task == "cartpole" else Frames
        self.memory = memory(capacity, self.observation)
        self.action = np.zeros(capacity, np.int64)
        self.reward = np.zeros(capacity, np.float32)
        self.discount = np.zeros(capacity, np.float32)
        self.clips = task != "cartpole"
        self.steps = 0
        self.run(peer_tasks.WARM, train=False)
        self.run(200)

    def run(self, steps: int, train: bool = True) -> None:
        """Play so many steps, training between them or not."""
        for _ in range(steps):
            self.play(peer_tasks.EPSILON if train else 1.0)
            if train and self.steps % peer_tasks.EVERY == 0:
                self.update()
            if self.steps % peer_tasks.TARGET_EVERY == 0:
                self.target.load_state_dict(self.online.state_dict())
            self.steps += 1

    def play(self, epsilon: float) -> None:
        """Take one step and store it."""
        if self.random.random() < epsilon:
            action = int(self.random.integers(self.num_actions))
        else:
            with torch.inference_mode():
                values = self.online.values(self.observation[None])
                action = int(values.argmax(1)[0])
        then, reward, terminated, truncated, _ = self.environment.step(action)
        then, ended = np.asarray(then), terminated or truncated
        place = self.memory.put(self.observation, then, ended)
        self.action[place] = action
        self.reward[place] = np.sign(reward) if self.clips else reward
        self.discount[place] = 0 if terminated else peer_tasks.DISCOUNT
        if ended:
            then = np.asarray(self.environment.reset()[0])
        self.observation = then

    def update(self) -> None:
        """Take one gradient step."""
        places, now, then = self.memory.draw(self.random, self.batch)
        action, reward, discount = (
            torch.as_tensor(column[places], device=self.device)
            for column in (self.action, self.reward, self.discount)
        )
        with torch.no_grad():
            following = self.target.values(then).max(1).values
            target = reward + discount * following
        values = self.online.values(now).gather(1, action[:, None])
        loss = torch.nn.functional.smooth_l1_loss(values[:, 0], target)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()


def make(settings: dict) -> dict:
    """Return the works of a loop."""
    return {"run": Loop(**settings).run}


if __name__ == "__main__":
    serve(make, ("torch", "gymnasium", "ale-py", "numpy"))
