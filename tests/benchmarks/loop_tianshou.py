"""Tianshou's DQN, through its collector and update, measured on command.

Works: `run N` plays N environment steps, training between them.
"""

import numpy as np
import peer_tasks
import torch
from answering import serve
from peer_torch import Network, device
from tianshou.algorithm.modelfree.dqn import DQN, DiscreteQLearningPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, CollectStats, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from tianshou.utils.torch_utils import policy_within_training_step


class TianshouNetwork(Network):
    """The network as Tianshou calls it."""

    def forward(self, obs, state=None, info=None):
        return self.values(np.ascontiguousarray(obs)), state


def make(settings: dict) -> dict:
    """Return the works of an agent."""
    task = settings["task"]
    torch.manual_seed(0)
    np.random.seed(0)
    environments = DummyVectorEnv([lambda: peer_tasks.make_environment(task)])
    space = environments.action_space[0]
    network = TianshouNetwork(task, settings.get("units", []))
    policy = DiscreteQLearningPolicy(
        model=network.to(device()),
        action_space=space,
        eps_training=peer_tasks.EPSILON,
        eps_inference=0.0,
    )
    agent = DQN(
        policy=policy,
        optim=AdamOptimizerFactory(lr=peer_tasks.LEARNING_RATE),
        gamma=peer_tasks.DISCOUNT,
        n_step_return_horizon=1,
        target_update_freq=peer_tasks.TARGET_EVERY // peer_tasks.EVERY,
    )
    once = {}
    if task != "cartpole":
        once = {
            "stack_num": 4,
            "save_only_last_obs": True,
            "ignore_obs_next": True,
        }
    buffer = VectorReplayBuffer(peer_tasks.CAPACITY, 1, **once)
    collector = Collector[CollectStats](
        agent, environments, buffer, exploration_noise=True
    )
    collector.reset()
    collector.collect(n_step=peer_tasks.WARM, random=True)

    def run(steps: int) -> None:
        with policy_within_training_step(policy):
            for _ in range(steps // peer_tasks.EVERY):
                collector.collect(n_step=peer_tasks.EVERY)
                agent.update(
                    buffer=buffer, sample_size=settings.get("batch", 32)
                )

    run(200)
    return {"run": run}


if __name__ == "__main__":
    serve(make, ("tianshou", "torch", "gymnasium", "ale-py", "numpy"))
