"""Stable-Baselines3 in a process of its own, for the measurement on a GPU."""

from answering import serve
from gpu_settings import (
    BATCH,
    CAPACITY,
    DISCOUNT,
    EPSILON,
    LEARNING_RATE,
    STACK,
    STEPS_PER_UPDATE,
    TARGET_PERIOD,
)


def make(settings: dict) -> dict:
    """Make Stable-Baselines3's DQN, warmed up."""
    num_envs, warmup = settings["num_envs"], settings["warmup"]
    import ale_py
    import gymnasium
    import stable_baselines3 as sb3
    import torch
    from stable_baselines3.common.env_util import make_atari_env
    from stable_baselines3.common.vec_env import VecFrameStack

    gymnasium.register_envs(ale_py)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    environment = VecFrameStack(
        make_atari_env(
            "ALE/SpaceInvaders-v5",
            n_envs=num_envs,
            seed=0,
            wrapper_kwargs={"terminal_on_life_loss": False},
            env_kwargs={"frameskip": 1, "repeat_action_probability": 0.0},
        ),
        STACK,
    )
    # One step of all environments is followed by as many gradient steps as
    # keep the ratio.
    freq = max(1, STEPS_PER_UPDATE // num_envs)
    model = sb3.DQN(
        "CnnPolicy",
        environment,
        learning_rate=LEARNING_RATE,
        buffer_size=CAPACITY,
        optimize_memory_usage=False,
        learning_starts=warmup,
        batch_size=BATCH,
        train_freq=freq,
        gradient_steps=freq * num_envs // STEPS_PER_UPDATE,
        gamma=DISCOUNT,
        target_update_interval=TARGET_PERIOD * STEPS_PER_UPDATE,
        exploration_fraction=1e-6,
        exploration_final_eps=EPSILON,
        seed=0,
        device=device,
    )
    model.learn(warmup + 100)
    observation = environment.reset()
    model.predict(observation, deterministic=True)

    def learn(steps: int) -> dict:
        steps_before, updates_before = model.num_timesteps, model._n_updates
        model.learn(steps, reset_num_timesteps=False)
        if device == "cuda":
            torch.cuda.synchronize()
        return {
            "done": model.num_timesteps - steps_before,
            "updates": model._n_updates - updates_before,
        }

    def act(count: int) -> None:
        for _ in range(count):
            model.predict(observation, deterministic=True)

    return {"learn": learn, "act": act, "report": {"device": device}}


if __name__ == "__main__":
    serve(make, ("stable-baselines3", "torch"))
