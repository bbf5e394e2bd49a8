"""The kit's agent and a bare loop of the same, for the GPU."""

import functools
import itertools
from collections.abc import Callable

from gpu_settings import (
    CAPACITY,
    DISCOUNT,
    EPSILON,
    LEARNING_RATE,
    NUM_ACTIONS,
    STACK,
    STEPS_PER_UPDATE,
    TARGET_PERIOD,
)


def make_agent(steps_per_execution: int, double: bool = False):
    """Return a compiled agent."""
    import keras
    import networks

    import keras_rlkit as rlk

    agent = rlk.models.DoubleDQN(
        networks.nature(NUM_ACTIONS),
        target_update_period=TARGET_PERIOD,
        double=double,
    )
    agent.compile(
        optimizer=keras.optimizers.Adam(LEARNING_RATE),
        loss=keras.losses.Huber(),
        steps_per_execution=steps_per_execution,
    )
    return agent


def make_game(num_envs: int, warmup: int):
    """Return a buffer and what fills it."""
    import keras_rlkit as rlk

    environment = rlk.environments.atari("space_invaders", num_envs, seed=0)
    replay = rlk.replay.ReplayBuffer.for_environment(
        environment,
        capacity=CAPACITY,
        frame_stack=STACK,
        discount=DISCOUNT,
        seed=0,
    )
    collect = rlk.callbacks.CollectSteps(
        environment,
        replay,
        rlk.policies.EpsilonGreedy(EPSILON, seed=0),
        steps_per_update=STEPS_PER_UPDATE,
        warmup_steps=warmup,
        reward_range=(-1, 1),
        seed=0,
        log_time=True,
    )
    return replay, collect


def on_device(batches) -> itertools.cycle:
    """Return some batches, again and again, that are on the device."""
    import jax

    return itertools.cycle([jax.device_put(batches[i]) for i in range(8)])


def bare_step(double: bool) -> tuple[Callable, tuple]:
    """Return a jitted DQN step written by hand, and its first state."""
    import jax
    import jax.numpy as jnp
    import keras
    import networks

    network = networks.nature(NUM_ACTIONS)
    optimizer = keras.optimizers.Adam(LEARNING_RATE)
    optimizer.build(network.trainable_variables)
    huber = keras.losses.Huber()

    def values(weights, observation):
        return network.stateless_call(weights, [], observation)[0]

    def chosen(values, action):
        return jnp.take_along_axis(values, action[:, None], 1)

    def loss(weights, target_weights, observation, transition):
        following = transition["next_observation"]
        next_target = values(target_weights, following)
        judge = values(weights, following) if double else next_target
        next_value = chosen(next_target, judge.argmax(1))[:, 0]
        target = transition["reward"] + transition["discount"] * next_value
        value = chosen(values(weights, observation), transition["action"])
        return huber(jax.lax.stop_gradient(target)[:, None], value)

    @functools.partial(jax.jit, donate_argnums=0)
    def step(state, batch):
        weights, target_weights, optimizer_state, count = state
        value, gradient = jax.value_and_grad(loss)(
            weights, target_weights, *batch
        )
        weights, optimizer_state = optimizer.stateless_apply(
            optimizer_state, gradient, weights
        )
        count += 1
        target_weights = jax.lax.cond(
            count % TARGET_PERIOD == 0,
            lambda: weights,
            lambda: target_weights,
        )
        return (weights, target_weights, optimizer_state, count), value

    def copies(variables):
        return [jnp.array(v.value, copy=True) for v in variables]

    weights = network.trainable_variables
    state = copies(weights), copies(weights), copies(optimizer.variables)
    return step, (*state, jnp.array(0))
