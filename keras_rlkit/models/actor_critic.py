"""Actor-critic learning (A2C and PPO) as a training step of a model."""

from typing import Any

import keras
import numpy as np

from keras_rlkit.models.action_evaluation import evaluate_in_chunks
from keras_rlkit.models.actor_critic_networks import (
    check_distribution,
    check_networks,
    gives_sequences,
)
from keras_rlkit.models.actor_critic_objective import (
    check_settings,
    objective_terms,
    weighted_mean,
)
from keras_rlkit.models.agent import Agent
from keras_rlkit.models.batch_checks import check_batch, weight_of
from keras_rlkit.models.kl_stop import LargestKL, keep_old_where_stopped
from keras_rlkit.models.network_shapes import input_shape_of
from keras_rlkit.models.own_loss import check_no_loss
from keras_rlkit.models.recurrent_calls import (
    call_with_memory,
    check_sequences_of,
    flatten_time,
)
from keras_rlkit.models.recurrent_networks import RecurrentNetworks
from keras_rlkit.models.shared_layers import (
    deserialize_networks,
    serialize_networks,
)
from keras_rlkit.ops.replicas import part_of_replica
from keras_rlkit.utils import register

NETWORKS = ("policy_network", "value_network")
BATCH_KEYS = ("action", "advantage", "value_target", "value", "log_probability")


@register
class ActorCritic(Agent):
    """Trains a policy and a value with policy gradients: A2C or PPO.

    Give it two Keras models, or one with two outputs, then `compile` with an
    optimizer and `fit` on `EpisodeBuffer(..., lambda_=...)` together with
    `CollectRollout` or `CollectEpisodes`.

    - **A2C**: `clip=None`, and a data set with one pass. The policy's loss is
      -log pi(a) * advantage.
    - **PPO**: `clip=0.2`, and a data set with several minibatches and passes.
      The policy's loss is PPO's clipped objective, so that several gradient
      steps on the same data do no harm.

    The loss is policy loss + `value_weight` * value loss - `entropy_weight` *
    entropy, a mean over samples, plus what the networks' regularisers and
    `add_loss` of their layers ask for.

    What the literature adds has its place elsewhere in Keras and the kit:
    advantage normalisation is `EpisodeBuffer(standardize=True)`, over the
    whole rollout (Huang et al., detail 7); normalisation of returns is
    `CollectRollout(normalize_rewards=True)`, of observations
    `RunningNormalization` (Engstrom et al., section 2); learning-rate decay
    is any Keras schedule (detail 4); gradient clipping is the optimizer's
    `global_clipnorm` (detail 11); Adam's `epsilon=1e-5` (detail 3);
    orthogonal weights `keras.initializers.Orthogonal` (detail 2).

    Args:
        policy_network: Built Keras model: observations [B, ...] to logits
            [B, A], or, for a Gaussian, to D means and D logarithms of standard
            deviations [B, 2 * D]. Or, with recurrent layers, from sequences
            [B, T, ...] to [B, T, A]. Or one model with both outputs: a dict
            with `"policy"` and `"value"`, or two outputs in this order.
        value_network: Built Keras model: observations [B, ...] to [B, 1]. It
            may have layers in common with the first; they stay common in
            files and copies. `None` where the first network gives the value
            too. Defaults to `None`.
        distribution: `"categorical"` for discrete actions, `"gaussian"` for
            continuous ones, `"bernoulli"` for bits (logits [B, D]). For several
            discrete choices (`MultiDiscrete`) the network gives a list of
            logits. For dictionaries and tuples of actions a nest of these,
            such as `{"gear": "categorical", "steer": "gaussian"}`, and a
            network that gives the same nest: parts are independent of each
            other given the state. Defaults to `"categorical"`.
        clip: Positive number, PPO's clip range of the probability ratio
            (Schulman et al. 2017, equation 7), or `None` for A2C. Defaults to
            `None`.
        value_weight: Positive number, weight of the value loss, which is half
            the squared error. Defaults to 0.5.
        entropy_weight: Non-negative number, weight of the entropy bonus (Mnih
            et al., section 4). Defaults to 0.
        value_clip: Positive number, in units of the return, how far a value
            may gain by moving from the one it had at collecting (Engstrom et
            al., section 2; Huang et al., detail 9), or `None`. Defaults to
            `None`.
        target_kl: Positive number in nats, or `None`. Once the estimated
            divergence of a minibatch is above 1.5 times it, neither that
            minibatch nor later ones of the epoch change anything (Huang et
            al., section "Early stopping"; Achiam, Spinning Up, PPO). Needs
            `clip`. Defaults to `None`.

    Input shape:
        Observations [B, ...] as the networks take them. `fit` takes batches
        `(observation, {"action", "advantage", "value_target", "value",
        "log_probability"}, sample_weight)`, the latter optional, as
        `EpisodeBuffer.samples` describes them; with `"action_mask"` in the
        dictionary, forbidden actions have probability 0. Of recurrent networks,
        sequences [B, T, ...] with `"mask"` [B, T].

    Output shape:
        Dictionary: `"policy"` [B, A] or [B, 2 * D] or a nest of such,
        `"value"` [B].

    Logs:
        `loss` (with the networks' regularisers), `policy_loss`, `value_loss`,
        `entropy` (nats), means over the epoch's minibatches; with `clip` also
        `kl`, the estimated divergence from the policy that collected, in nats;
        with `target_kl` also `largest_kl` and `stopped`, the share of the
        minibatches that changed nothing. Near 1, next to nothing is learned:
        see "Returns fall while `stopped` is near 1" in Troubleshooting.

    Raises:
        ValueError: If an argument is out of its range, a network is not
            built, or its output has the wrong form.

    Example:

    ```python
    inputs = keras.Input((4,))
    features = keras.layers.Dense(32, activation="tanh")(inputs)
    network = keras.Model(
        inputs,
        {
            "policy": keras.layers.Dense(2)(features),
            "value": keras.layers.Dense(1)(features),
        },
    )
    agent = rlk.models.ActorCritic(network, clip=0.2, entropy_weight=0.01)
    agent.compile(keras.optimizers.Adam(3e-4, global_clipnorm=0.5))
    agent.predict(np.zeros((8, 4)), verbose=0)["value"].shape  # (8,)
    ```

    Reference:
        Mnih et al., Asynchronous Methods for Deep Reinforcement Learning,
        https://arxiv.org/abs/1602.01783; Schulman et al., Proximal Policy
        Optimization Algorithms, https://arxiv.org/abs/1707.06347; Engstrom et
        al., Implementation Matters in Deep Policy Gradients,
        https://arxiv.org/abs/2005.12729; Huang et al., The 37 Implementation
        Details of Proximal Policy Optimization,
        https://iclr-blog-track.github.io/2022/03/25/ppo-implementation-details/
    """

    # Which buffers and collectors belong to it.
    learns_from = "advantages"

    def __init__(
        self,
        policy_network: keras.Model,
        value_network: keras.Model | None = None,
        distribution: Any = "categorical",
        clip: float | None = None,
        value_weight: float = 0.5,
        entropy_weight: float = 0.0,
        value_clip: float | None = None,
        target_kl: float | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        check_distribution("distribution", distribution)
        check_settings(
            clip, value_weight, entropy_weight, value_clip, target_kl
        )
        self.policy_network = policy_network
        self.value_network = value_network
        self.distribution = distribution
        self.clip = clip
        self.value_weight = value_weight
        self.entropy_weight = entropy_weight
        self.value_clip = value_clip
        self.target_kl = target_kl
        self._output_shape = check_networks(
            policy_network, value_network, distribution
        )
        self._means = {
            name: keras.metrics.Mean(name, dtype="float32")
            for name in ("policy_loss", "value_loss", "entropy")
        }
        if clip is not None:
            self._means["kl"] = keras.metrics.Mean("kl", dtype="float32")
        self._largest_kl = None
        if target_kl is not None:
            self._kl_limit = 1.5 * target_kl
            self._largest_kl = LargestKL(name="largest_kl")
            self._means["stopped"] = keras.metrics.Mean(name="stopped")
        if gives_sequences(policy_network):
            networks = [n for n in (policy_network, value_network) if n]
            self._recurrent = RecurrentNetworks(networks)
        self.built = True

    @property
    def _acting_network(self) -> keras.Model:
        return self.policy_network

    @property
    def input_shape(self) -> tuple:
        """Shape of the observations that the networks take, batch first."""
        return input_shape_of(self.policy_network)

    @property
    def output_shape(self) -> dict[str, tuple]:
        """Shapes of the policy's numbers and of the value, batch first."""
        return self._output_shape

    def compile(self, optimizer: Any = "rmsprop", **kwargs: Any) -> None:
        """Choose the optimizer; the loss is the model's own.

        Args:
            optimizer: As in `keras.Model.compile`.
            **kwargs: Its other arguments, without `loss` and `metrics`.
        """
        check_no_loss(
            self,
            kwargs,
            "Set it with `clip`, `value_weight` and `entropy_weight`.",
        )
        super().compile(optimizer=optimizer, **kwargs)

    def call(self, observation: Any, training: bool | None = None) -> dict:
        """Return the policy's numbers and the value.

        Recurrent networks take `rlk.utils.RecurrentInput`, or sequences alone
        to begin with zeros; they give `"state"` too, in which they ended.
        """
        return call_with_memory(
            self._recurrent, self._call_networks, observation, training
        )

    def _call_networks(self, observation: Any, training: bool | None) -> dict:
        output = self.policy_network(observation, training=training)
        if self.value_network is not None:
            value = self.value_network(observation, training=training)
        elif isinstance(output, dict):
            output, value = output["policy"], output["value"]
        else:
            output, value = output
        return {"policy": output, "value": keras.ops.squeeze(value, axis=-1)}

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return policy loss, value loss, entropy bonus and regularisers."""
        check_batch(y, BATCH_KEYS, "`EpisodeBuffer` with `lambda_`")
        sample_weight = weight_of(sample_weight)
        if self._recurrent:
            check_sequences_of(y)
            y, y_pred, sample_weight = flatten_time(y, y_pred, sample_weight)
        terms = objective_terms(self, y, y_pred)
        means = {
            name: weighted_mean(term, sample_weight)
            for name, term in terms.items()
        }
        for name, mean in means.items():
            self._means[name].update_state(mean)
        if self._largest_kl is not None:
            self._largest_kl.update_state(means["kl"])
            stopped = self._largest_kl.result() > self._kl_limit
            self._means["stopped"].update_state(stopped)
        loss = (
            means["policy_loss"]
            + self.value_weight * means["value_loss"]
            - self.entropy_weight * means["entropy"]
        )
        # Regularisers, and what layers ask for by `add_loss`.
        for added in self.losses:
            loss = loss + keras.ops.sum(keras.ops.cast(added, loss.dtype))
        return part_of_replica(loss)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Return the metrics, which `compute_loss` has brought up to date."""
        return self.get_metrics_result()

    def train_step(self, *arguments: Any) -> Any:
        """Take one gradient step, unless `target_kl` has ended the epoch's.

        Takes and returns what Keras' own `train_step` does: `(data)` and logs
        on TensorFlow and PyTorch, `(state, data)` and `(logs, state)` on JAX.
        """
        if self._largest_kl is None:
            return super().train_step(*arguments)
        return keep_old_where_stopped(
            self, super().train_step, arguments, self._kl_limit
        )

    def evaluate_actions(
        self,
        observation: Any,
        action: Any,
        action_mask: Any = None,
        state: Any = None,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return values of states and log-probabilities of actions, eagerly.

        Args:
            observation: Array [M, ...], or a nest of arrays.
            action: Integers [M], or floats [M, D].
            action_mask: Booleans [M, A], allowed actions; `None` for all.
            state: Of recurrent networks, arrays [M, units] before each.

        Returns:
            float32 [M] and [M]; the second is `None` for A2C, without `clip`.
        """
        return evaluate_in_chunks(self, observation, action, action_mask, state)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, the networks serialized."""
        return {
            **super().get_config(),
            **serialize_networks(
                {name: getattr(self, name) for name in NETWORKS}
            ),
            "distribution": self.distribution,
            "clip": self.clip,
            "value_weight": self.value_weight,
            "entropy_weight": self.entropy_weight,
            "value_clip": self.value_clip,
            "target_kl": self.target_kl,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict | None = None
    ) -> "ActorCritic":
        """Make a model from `get_config`."""
        networks = deserialize_networks(
            {name: config[name] for name in NETWORKS}, custom_objects
        )
        return cls(**{**config, **networks})
