"""The loss of PPO, for `compile` of any Keras model."""

from typing import Any

from keras_rlkit.losses.policy_loss import PolicyLoss, to_actions
from keras_rlkit.ops import (
    categorical_log_probability,
    clipped_surrogate_loss,
    probability_ratio,
)
from keras_rlkit.utils import check_positive_number, register


@register
class ClippedSurrogateLoss(PolicyLoss):
    """PPO's clipped objective for a policy over discrete actions.

    Works in `compile` of any Keras model that gives one logit (or probability)
    per action. Targets carry the action and the logarithm of the probability
    that it had when it was taken; `sample_weight` is the advantage. For policy
    and value together see `keras_rlkit.models.ActorCritic`.

    Args:
        clip: Positive number: how far the ratio of new to old probability may
            move from 1 before more gains nothing. Defaults to 0.2.
        entropy_weight: Non-negative number, weight of the entropy bonus, which
            the sample weights don't multiply. Defaults to 0.
        from_logits: Whether the model gives logits; `False` for
            probabilities. Defaults to `True`.
        reduction: `"sum_over_batch_size"` or `"mean"`, `"sum"`, or `None`.
            `"mean_with_sample_weight"` is refused: it divides by the sum of
            the weights, which for advantages is near zero. Defaults to
            `"sum_over_batch_size"`.
        name: String, the loss' name.
        dtype: Type of the result. Computed in float32 whatever it is. Defaults
            to Keras' float type.

    Call arguments:
        y_true: [B, 2], float32: the action in [0, A), exact below 2**24, and
            its log-probability under the policy that took it.
        y_pred: Logits or probabilities, [B, A].
        sample_weight: Advantages, [B] or [B, 1], or a number for all. Carry
            no gradient. Without them every advantage is 1.

    Output shape:
        A scalar, or with `reduction=None` one value per sample, [B].

    Raises:
        ValueError: If an argument is out of its range, or shapes do not fit.

    Example:

    ```python
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("adam", loss=rlk.losses.ClippedSurrogateLoss(clip=0.2))
    observations = np.random.normal(size=(8, 4))
    actions = np.random.randint(2, size=8)
    old_log_probability = np.full(8, np.log(0.5))
    targets = np.stack([actions, old_log_probability], axis=1)
    advantages = np.random.normal(size=8)
    model.fit(observations, targets, sample_weight=advantages, verbose=0)
    ```

    Reference:
        Schulman et al., Proximal Policy Optimization Algorithms, section 3,
        equation 7, https://arxiv.org/abs/1707.06347
    """

    def __init__(
        self,
        clip: float = 0.2,
        entropy_weight: float = 0.0,
        from_logits: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str = "clipped_surrogate_loss",
        dtype: Any = None,
    ):
        super().__init__(entropy_weight, from_logits, reduction, name, dtype)
        self.clip = check_positive_number("clip", clip)

    def call(self, y_true: Any, y_pred: Any, advantage: Any) -> Any:
        """Return the loss of each sample, given logits."""
        if len(y_true.shape) != 2 or y_true.shape[1] != 2:
            raise ValueError(
                "`y_true` must have shape (batch, 2): the action and the "
                "log-probability it was taken with. "
                f"Received: y_true.shape={tuple(y_true.shape)}."
            )
        log_probability = categorical_log_probability(
            y_pred, to_actions(y_true[:, 0])
        )
        ratio = probability_ratio(log_probability, y_true[:, 1])
        return clipped_surrogate_loss(ratio, advantage, self.clip)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, for saving."""
        return {"clip": self.clip, **super().get_config()}
