"""The loss of REINFORCE, for `compile` of any Keras model."""

from typing import Any

from keras_rlkit.losses.policy_loss import PolicyLoss, to_actions
from keras_rlkit.ops import policy_gradient_loss
from keras_rlkit.utils import register


@register
class PolicyGradientLoss(PolicyLoss):
    """Negative log-probability of the action taken, times return or advantage.

    The loss of REINFORCE. It works in `compile` of any Keras model that gives
    one logit (or probability) per action: the actions taken are the targets,
    and what came of them is the `sample_weight`. Data of this form come from
    `keras_rlkit.replay.EpisodeBuffer`.

    loss = mean over samples of -weight * log pi(action) - entropy_weight *
    mean over samples of the policy's entropy. The entropy is not multiplied
    by the sample weights: a bonus that changed its sign with the advantage
    would be none. A sample of weight 0 therefore still counts for it. Rows
    that `EpisodeBuffer` has filled a batch up with (`pad`) don't: their weight
    is -0.0.

    Args:
        entropy_weight: Non-negative number, weight of the entropy bonus, which
            keeps the policy from settling too early. Defaults to 0.
        from_logits: Whether the model gives logits; `False` for probabilities,
            as after a softmax. Logits are more exact. Defaults to `True`.
        reduction: `"sum_over_batch_size"` or `"mean"`, `"sum"`, or `None`.
            `"mean_with_sample_weight"` is refused: it divides by the sum of
            the weights, which for advantages is near zero. Defaults to
            `"sum_over_batch_size"`.
        name: String, the loss' name.
        dtype: Type of the result. Computed in float32 whatever it is. Defaults
            to Keras' float type.

    Call arguments:
        y_true: Actions in [0, A), [B] or [B, 1], of any integer dtype, or of
            a float dtype that holds them exactly.
        y_pred: Logits or probabilities, [B, A].
        sample_weight: Returns or advantages, [B] or [B, 1], or a number for
            all. Carry no gradient. Without them every action counts 1:
            imitation.

    Output shape:
        A scalar, or with `reduction=None` one value per sample, [B].

    Raises:
        ValueError: If an argument is out of its range, or shapes do not fit.

    Example:

    ```python
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("adam", loss=rlk.losses.PolicyGradientLoss())
    observations = np.random.normal(size=(8, 4))
    actions = np.random.randint(2, size=8)
    returns = np.random.normal(size=8)
    model.fit(observations, actions, sample_weight=returns, verbose=0)
    ```

    Reference:
        Williams, Simple Statistical Gradient-Following Algorithms for
        Connectionist Reinforcement Learning, section 4,
        https://doi.org/10.1007/BF00992696; entropy: Mnih et al., Asynchronous
        Methods for Deep Reinforcement Learning, section 4,
        https://arxiv.org/abs/1602.01783
    """

    # Which buffers and collectors belong to it.
    learns_from = "returns"

    def __init__(
        self,
        entropy_weight: float = 0.0,
        from_logits: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str = "policy_gradient_loss",
        dtype: Any = None,
    ):
        super().__init__(entropy_weight, from_logits, reduction, name, dtype)

    def call(self, y_true: Any, y_pred: Any, advantage: Any) -> Any:
        """Return the loss of each sample, given logits."""
        shape = tuple(y_true.shape)
        if len(shape) == 2 and shape[1] == 1:
            y_true = y_true[:, 0]
        elif len(shape) != 1:
            raise ValueError(
                "`y_true` must have shape (batch,) or (batch, 1), the number "
                f"of the action taken. Received: y_true.shape={shape}. "
                "One-hot actions become numbers with `keras.ops.argmax`."
            )
        return policy_gradient_loss(y_pred, to_actions(y_true), advantage)
