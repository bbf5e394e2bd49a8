"""Minari data sets, the field's standard format of recorded experience."""

from typing import Any

import keras
import numpy as np

from keras_rlkit.replay.replay_buffer import ReplayBuffer
from keras_rlkit.utils import observation_parts


def load_minari(dataset: Any, **arguments: Any) -> ReplayBuffer:
    """Read a Minari data set into a replay buffer, to train from it.

    Needs the package `minari` (`pip install keras-rlkit[minari]`).

    Args:
        dataset: `minari.MinariDataset`, or the name of one on this machine;
            `minari.download_dataset` brings others. Its observations are
            arrays, or dictionaries and tuples of arrays, its actions discrete.
        **arguments: Arguments of `ReplayBuffer` other than the defaults: those
            read from the data set (shape and dtype of observations, number of
            actions), and as `capacity` all of its steps.

    Returns:
        A `ReplayBuffer` with all transitions, the last `capacity` of them if
        there are more.

    Raises:
        ImportError: If `minari` isn't installed.
        ValueError: If observations or actions are of another kind.

    Example:

    ```python
    import gymnasium

    environment = gymnasium.make("CartPole-v1")
    replay = rlk.replay.ReplayBuffer.for_environment(environment, 1_000)
    collect = rlk.callbacks.CollectSteps(
        environment,
        replay,
        rlk.policies.EpsilonGreedy(1.0),
        steps_per_update=1,
        warmup_steps=200,
    )
    agent = rlk.models.DoubleDQN(
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    )
    agent.compile("adam", "huber")
    agent.fit(
        replay.batches(32), steps_per_epoch=1, callbacks=[collect], verbose=0
    )
    rlk.replay.save_minari(replay, "cartpole/random-v0", environment)

    offline = rlk.replay.load_minari("cartpole/random-v0")
    agent.fit(offline.batches(32), steps_per_epoch=10, verbose=0)
    ```

    Reference:
        Younis et al., Minari, https://minari.farama.org
    """
    if isinstance(dataset, str):
        dataset = _import_minari().load_dataset(dataset)
    arguments = {
        "capacity": int(dataset.total_steps),
        **_read_spaces(dataset),
        **arguments,
    }
    first_action = int(dataset.action_space.start)
    buffer = ReplayBuffer(**arguments)
    for episode in dataset.iterate_episodes():
        # Recording may have stopped within an episode.
        truncated = np.array(episode.truncations, bool)
        truncated[-1] |= not episode.terminations[-1]
        for step in range(len(episode)):
            buffer.add(
                _rows(episode.observations, step),
                episode.actions[step : step + 1] - first_action,
                episode.rewards[step : step + 1],
                episode.terminations[step : step + 1],
                truncated[step : step + 1],
                _rows(episode.observations, step + 1),
            )
    return buffer


def save_minari(
    buffer: ReplayBuffer,
    dataset_id: str,
    environment: Any,
    **arguments: Any,
) -> Any:
    """Write a replay buffer's transitions as episodes of a Minari data set.

    Needs the package `minari` (`pip install keras-rlkit[minari]`). Rewards
    are those that were stored, clipped if they were clipped. An episode whose
    end isn't stored is marked as truncated at its last step; one that was
    truncated where the next one begins, with the very same observation, is
    joined with it.

    Args:
        buffer: `ReplayBuffer` with `n_step=1` and a discount above 0.
        dataset_id: Name of the new data set, such as
            `"cartpole/random-v0"`.
        environment: Environment, or vector environment, that was played.
        **arguments: Arguments of `minari.create_dataset_from_buffers`, such as
            `algorithm_name`, `author` or `description`.

    Returns:
        The `minari.MinariDataset`.

    Raises:
        ImportError: If `minari` isn't installed.
        ValueError: If the buffer is empty, joins several steps, stores masks
            of allowed actions, or its discount is 0, so that ends can't be
            told.

    Example:

    See `load_minari`.
    """
    minari = _import_minari()
    if not len(buffer) or not buffer.discount:
        raise ValueError(
            "`buffer` must hold transitions whose discount tells the ends of "
            f"episodes. Received: {len(buffer)} transitions with "
            f"discount={buffer.discount}."
        )
    if buffer.action_masks:
        raise ValueError(
            "`buffer` must have no masks of allowed actions: Minari data sets "
            "have no place for them. Received: action_masks=True."
        )
    spaces = {
        name: getattr(environment, f"single_{name}", getattr(environment, name))
        for name in ("observation_space", "action_space")
    }
    observation, rest = buffer.transitions()
    first_action = int(spaces["action_space"].start)
    episodes = []
    for rows in buffer.trajectories():
        terminated = rest["discount"][rows] == 0
        truncated = np.zeros(len(rows), bool)
        truncated[-1] = not terminated[-1]
        episodes.append(
            minari.data_collector.EpisodeBuffer(
                id=len(episodes),
                observations=keras.tree.map_structure(
                    lambda now, then, rows=rows: np.concatenate(
                        [now[rows], then[rows[-1:]]]
                    ),
                    observation,
                    rest["next_observation"],
                ),
                actions=rest["action"][rows].astype(np.int64) + first_action,
                rewards=rest["reward"][rows].tolist(),
                terminations=terminated.tolist(),
                truncations=truncated.tolist(),
            )
        )
    return minari.create_dataset_from_buffers(
        dataset_id, episodes, **{**spaces, **arguments}
    )


def _read_spaces(dataset: Any) -> dict[str, Any]:
    actions = dataset.action_space
    shape, dtype, has_mask = observation_parts(dataset.observation_space)
    if has_mask:
        raise ValueError(
            "`dataset` must have no masks of allowed actions: what is allowed "
            "after the last step isn't recorded. Received: observation_space="
            f"{dataset.observation_space}."
        )
    if not hasattr(actions, "n") or actions.shape != ():
        raise ValueError(
            "`dataset` must have discrete actions. Received: "
            f"action_space={actions}."
        )
    return {
        "observation_shape": shape,
        "observation_dtype": dtype,
        "num_actions": int(actions.n),
    }


def _rows(observations: Any, step: int) -> Any:
    return keras.tree.map_structure(
        lambda array: array[step : step + 1], observations
    )


def _import_minari() -> Any:
    try:
        import minari
    except ImportError as error:
        raise ImportError(
            "Minari data sets need the package `minari`. "
            "Use `pip install keras-rlkit[minari]`."
        ) from error
    return minari
