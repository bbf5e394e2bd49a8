"""Q-learning from what the present policy did, without replay (PQN)."""

from typing import Any

import keras
import numpy as np

from keras_rlkit.models.action_evaluation import outputs_in_chunks
from keras_rlkit.models.batch_checks import check_batch, weight_of
from keras_rlkit.models.q_network_agent import QNetworkAgent
from keras_rlkit.models.recurrent_calls import check_sequences_of, flatten_time
from keras_rlkit.ops import select_action_values
from keras_rlkit.utils import register


@register
class PQN(QNetworkAgent):
    """Trains a Q network on lambda returns of fresh play: PQN.

    No replay buffer and no target network: many environments play, and the
    network learns from each rollout for a few passes, then forgets it. Layer
    normalisation in the network is what keeps that stable. Give it a Keras
    model, then `compile` with an optimizer and a loss, and `fit` on
    `EpisodeBuffer(..., lambda_=0.65)` together with `CollectRollout` and
    `EpsilonGreedy`.

    Each gradient step moves Q(s, a) towards the lambda return of the rollout,
    in which the value of a state is its largest Q value at collecting. Time
    limits and the rollout's end are bootstrapped, terminal states are not.

    Args:
        q_network: Built Keras model: observations [B, ...] to Q values
            [B, num_actions]; or, with recurrent layers, sequences [B, T, ...]
            to [B, T, num_actions].

    Input shape:
        Observations as `q_network` takes them. `fit` takes batches of an
        `EpisodeBuffer` with `lambda_`: of their dictionary, `action` and
        `value_target` are used, and `action_mask` where there is one.

    Output shape:
        Q values [B, num_actions]; of recurrent networks a dictionary with
        `"q_values"` [B, T, num_actions] and `"state"`.

    Logs:
        `loss`, with the network's regularisers; `td_error`, the mean absolute
        difference between the lambda return and Q(s, a); `q_value`, the mean
        over observations of the largest Q value.

    Raises:
        ValueError: If the network is not built or has other than one output
            [B, num_actions].

    Example:

    ```python
    import gymnasium

    environment = gymnasium.make_vec("CartPole-v1", num_envs=4)
    network = keras.Sequential([
        rlk.networks.mlp((4,), units=(32,), layer_normalization=True),
        keras.layers.Dense(2),
    ])
    agent = rlk.models.PQN(network)
    agent.compile(keras.optimizers.Adam(1e-3), loss="mse")
    buffer = rlk.replay.EpisodeBuffer.for_environment(
        environment, discount=0.99, lambda_=0.65
    )
    collect = rlk.callbacks.CollectRollout(
        environment, buffer, rlk.policies.EpsilonGreedy(0.1), steps_per_epoch=64
    )
    agent.fit(buffer.batches(minibatches=4), callbacks=[collect], verbose=0)
    ```

    Reference:
        Gallici et al., Simplifying Deep Temporal Difference Learning, section
        4 and algorithm 1, https://arxiv.org/abs/2407.04811
    """

    # Which buffers and collectors belong to it.
    learns_from = "advantages"
    # Q-learning asks for no certain policy.
    learns_off_policy = True

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Compare Q(s, a) with the lambda return through the compiled loss."""
        keys = ("action", "value_target")
        check_batch(y, keys, "`EpisodeBuffer` with `lambda_`")
        sample_weight = weight_of(sample_weight)
        if self._recurrent:
            check_sequences_of(y)
            y, y_pred, sample_weight = flatten_time(y, y_pred, sample_weight)
            y_pred = y_pred["q_values"]
        target = keras.ops.cast(y["value_target"], "float32")
        selected = select_action_values(y_pred, y["action"])
        self.log_values(target - selected, y_pred, y, sample_weight)
        return self.compiled_loss(x, target, selected, sample_weight, training)

    def evaluate_actions(
        self,
        observation: Any,
        action: Any,
        action_mask: Any = None,
        state: Any = None,
    ) -> tuple[np.ndarray, None]:
        """Return the values of states: their largest Q values, eagerly.

        Args:
            observation: Array [M, ...], or a nest of arrays.
            action: Not used: of states that were not played there is none.
            action_mask: Booleans [M, A], allowed actions; `None` for all.
            state: Of recurrent networks, arrays [M, units] before each.

        Returns:
            float32 [M], and `None` in place of log-probabilities.
        """
        values = []
        for rows, count, q_values in outputs_in_chunks(
            self, observation, state
        ):
            if self._recurrent:
                q_values = q_values["q_values"]
            q_values = np.asarray(q_values, np.float32)
            if action_mask is not None:
                # Where nothing is allowed, the episode has terminated.
                allowed = np.where(action_mask[rows], q_values, -np.inf)
                known = action_mask[rows].any(axis=1, keepdims=True)
                q_values = np.where(known, allowed, q_values)
            values.append(q_values.max(axis=-1)[:count])
        return np.concatenate(values), None
