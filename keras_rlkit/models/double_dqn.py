"""Double deep Q-learning as a training step of a `keras.Model`."""

from typing import Any

from keras_rlkit.models.q_learning_agent import QLearningAgent
from keras_rlkit.ops import (
    double_q_learning_target,
    q_learning_target,
    select_action_values,
)
from keras_rlkit.utils import register


@register
class DoubleDQN(QLearningAgent):
    """Trains a Q network with double Q-learning and a target network.

    Wrap any Keras model that maps observations to one value per action, then
    `compile` and `fit` it on batches of transitions. Calling the model gives
    the Q values of the network it wraps.

    Each gradient step moves Q(s, a) towards `reward + discount * Q(s', a')`,
    where the online network chooses a' and the target network values it. The
    compiled loss compares the two per sample and is multiplied by
    `sample_weight` where the batch has one. Metrics given to `compile` see
    the same two values.

    The target network is a second set of weights for the same network, which
    may be any Keras model. They follow the online weights in one of two ways:
    softly, a share `target_update_rate` of the way after every gradient step,
    or by a whole copy every `target_update_period` gradient steps. They are
    float32 also where the online network is in pure bfloat16 or float16, in
    which small steps are rounded away. `target_weights` shows them, `target_q`
    calls the network with them, and they are saved with the model.

    Args:
        q_network: Built Keras model: observations [B, ...] to Q values
            [B, num_actions]; or, with recurrent layers, sequences [B, T, ...]
            to [B, T, num_actions].
        target_update_rate: Number in (0, 1], share of the way that the target
            weights move to the online weights at each gradient step. Not
            used where `target_update_period` is above 1. Defaults to 0.005.
        target_update_period: Positive integer. Above 1, the target weights
            are copied whole once in so many gradient steps. Defaults to 1.
        double: Whether the online network chooses the next action. `False`
            is plain DQN: the target network chooses and values. Defaults to
            `True`.

    Input shape:
        Observations [B, ...] as `q_network` takes them. `fit` takes batches
        `(observation, {"action", "reward", "discount", "next_observation"})`
        with or without `sample_weight`: `action` integers [B]; `reward`
        floats [B]; `discount` floats [B], gamma (to the power of n with
        n-step rewards) or 0 where the episode terminated: `next_observation`
        is not seen there, and may be NaN. With masks there are `action_mask`
        and `next_action_mask`, booleans [B, num_actions]: forbidden actions
        are in no maximum. Batches drawn by priorities also have `index`,
        integers [B]: which transitions they are. Observations may be nests of
        arrays, as the network takes them. Of recurrent networks, observations
        are `rlk.utils.RecurrentInput` or `BurnInInput`, all else [B, T], with
        `mask`, booleans [B, T], for the steps that are there: the loss is a
        mean over them.

    Output shape:
        Q values [B, num_actions]; of recurrent networks a dictionary with
        `"q_values"` [B, T, num_actions] and `"state"`.

    Logs:
        `loss`, with the network's regularisers; `td_error`, the mean absolute
        difference between target and Q(s, a); `q_value`, the mean over
        observations of the largest Q value.

    Raises:
        ValueError: If an argument is out of its range, or the network is not
            built or has other than one output [B, num_actions].

    Example:

    ```python
    network = keras.Sequential([
        keras.Input((4,)),
        keras.layers.Dense(32, activation="relu"),
        rlk.layers.DuelingHead(num_actions=2, units=32),
    ])
    agent = rlk.models.DoubleDQN(network, target_update_rate=0.01)
    agent.compile(optimizer="adam", loss=keras.losses.Huber())
    observation = np.random.normal(size=(64, 4))
    transitions = {
        "action": np.random.randint(2, size=64),
        "reward": np.ones(64),
        "discount": np.full(64, 0.99),
        "next_observation": observation + 0.1,
    }
    agent.fit(observation, transitions, epochs=2, verbose=0)
    ```

    Reference:
        van Hasselt, Guez and Silver, Deep Reinforcement Learning with Double
        Q-learning, https://arxiv.org/abs/1509.06461; soft updates: Lillicrap
        et al., Continuous control with deep reinforcement learning, section
        3, https://arxiv.org/abs/1509.02971; recurrent networks: Kapturowski
        et al., Recurrent Experience Replay in Distributed Reinforcement
        Learning, https://openreview.net/forum?id=r1lyTjAqYX
    """

    def compute_target(self, transition: dict[str, Any]) -> Any:
        """Return what Q(s, a) should be, without gradient.

        Args:
            transition: The dictionary of a batch.

        Returns:
            Float tensor [B].
        """
        reward, discount = transition["reward"], transition["discount"]
        chooser, valuer = self.next_outputs(transition)
        chooser = self.allowed(chooser, transition, "next_action_mask")
        if not self.double:
            return q_learning_target(reward, discount, chooser)
        return double_q_learning_target(reward, discount, chooser, valuer)

    def objective(
        self,
        x: Any,
        transition: dict[str, Any],
        output: Any,
        sample_weight: Any,
        training: bool,
    ) -> tuple[Any, Any, Any]:
        """Compare Q(s, a) with its target through the compiled loss.

        Args:
            x: The batch's observations.
            transition: The dictionary of the batch, row by row.
            output: Q values [B, A].
            sample_weight: Weights [B], or `None`.
            training: As in `keras.Model.compute_loss`.

        Returns:
            A tuple `(loss, td_error, td_error)`.
        """
        target = self.compute_target(transition)
        selected = select_action_values(output, transition["action"])
        td_error = target - selected
        loss = self.compiled_loss(x, target, selected, sample_weight, training)
        return loss, td_error, td_error
