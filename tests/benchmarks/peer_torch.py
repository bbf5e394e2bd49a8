"""The measured networks in torch, as Tianshou and the torch loop take them."""

import torch
from torch import nn


class Network(nn.Module):
    """Q values of observations as the environment gives them.

    Args:
        task: `"nature"` or `"cartpole"`.
        units: Sizes of CartPole's dense layers.
    """

    def __init__(self, task: str, units: list[int]):
        super().__init__()
        self.pixels = task != "cartpole"
        if self.pixels:
            layers = [
                *(nn.Conv2d(4, 32, 8, 4), nn.ReLU()),
                *(nn.Conv2d(32, 64, 4, 2), nn.ReLU()),
                *(nn.Conv2d(64, 64, 3, 1), nn.ReLU()),
                *(nn.Flatten(), nn.Linear(3136, 512), nn.ReLU()),
                nn.Linear(512, 6),
            ]
        else:
            sizes, layers = [4, *units], []
            for before, after in zip(sizes, units):
                layers += [nn.Linear(before, after), nn.ReLU()]
            layers.append(nn.Linear(sizes[-1], 2))
        self.layers = nn.Sequential(*layers)

    def values(self, observations) -> torch.Tensor:
        """Return Q values of a NumPy array of observations."""
        device = next(self.parameters()).device
        values = torch.as_tensor(observations, device=device).float()
        return self.layers(values.div_(255) if self.pixels else values)


def device() -> str:
    """Return the name of the fastest device."""
    return "cuda" if torch.cuda.is_available() else "cpu"
