"""Stable-Baselines3's DQN, measured on command.

Works: `run N` plays N environment steps, training between them; `act1 N` and
`act8 N` choose actions for one and eight observations, N times.
"""

import peer_tasks
from answering import serve
from stable_baselines3 import DQN
from stable_baselines3.common.vec_env import DummyVecEnv


def make(settings: dict) -> dict:
    """Return the works of an agent."""
    task, num_envs = settings["task"], settings.get("num_envs", 1)
    environment = DummyVecEnv(
        [
            lambda i=i: peer_tasks.make_environment(task, i)
            for i in range(num_envs)
        ]
    )
    # With several environments, a step of all is worth several updates.
    every = max(1, peer_tasks.EVERY // num_envs)
    agent = DQN(
        "MlpPolicy" if task == "cartpole" else "CnnPolicy",
        environment,
        learning_rate=peer_tasks.LEARNING_RATE,
        buffer_size=peer_tasks.CAPACITY,
        learning_starts=peer_tasks.WARM,
        batch_size=settings.get("batch", 32),
        train_freq=every,
        gradient_steps=max(1, num_envs // peer_tasks.EVERY),
        gamma=peer_tasks.DISCOUNT,
        target_update_interval=peer_tasks.TARGET_EVERY,
        exploration_fraction=1e-6,
        exploration_final_eps=peer_tasks.EPSILON,
        policy_kwargs={"net_arch": settings["units"]}
        if task == "cartpole"
        else None,
        seed=0,
        device=settings.get("device", "auto"),
    )

    def run(steps: int) -> int:
        before = agent.num_timesteps
        agent.learn(steps, reset_num_timesteps=before == 0)
        return agent.num_timesteps - before

    def act(count: int, times: int) -> None:
        observations = peer_tasks.observations(task, count)
        for _ in range(times):
            agent.predict(observations, deterministic=True)

    run(peer_tasks.WARM + 200)
    return {
        "run": run,
        "act1": lambda times: act(1, times),
        "act8": lambda times: act(8, times),
    }


if __name__ == "__main__":
    serve(make, ("stable-baselines3", "torch", "gymnasium", "ale-py", "numpy"))
