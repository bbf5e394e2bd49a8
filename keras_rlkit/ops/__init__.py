"""The equations of reinforcement learning as pure functions, batch first."""

from keras_rlkit.ops.action_distributions import (
    categorical_log_probability,
    gaussian_entropy,
    gaussian_log_probability,
    kl_estimate,
    probability_ratio,
    score_function_loss,
)
from keras_rlkit.ops.action_masks import mask_actions
from keras_rlkit.ops.advantages import generalized_advantage_estimate
from keras_rlkit.ops.policy_gradient import (
    clipped_surrogate_loss,
    entropy,
    policy_gradient_loss,
)
from keras_rlkit.ops.q_learning import (
    double_q_learning_target,
    q_learning_target,
    select_action_values,
    sequence_td_error,
)
from keras_rlkit.ops.returns import (
    discounted_returns,
    lambda_returns,
    n_step_returns,
)
from keras_rlkit.ops.target_update import periodic_update, soft_update
from keras_rlkit.ops.value_distributions import (
    categorical_divergence,
    categorical_projection,
    distributional_target,
    quantile_huber_loss,
)
from keras_rlkit.ops.value_loss import clipped_value_loss, value_loss

__all__ = [
    "categorical_divergence",
    "categorical_log_probability",
    "categorical_projection",
    "clipped_surrogate_loss",
    "clipped_value_loss",
    "discounted_returns",
    "distributional_target",
    "double_q_learning_target",
    "entropy",
    "gaussian_entropy",
    "gaussian_log_probability",
    "generalized_advantage_estimate",
    "kl_estimate",
    "lambda_returns",
    "mask_actions",
    "n_step_returns",
    "periodic_update",
    "policy_gradient_loss",
    "probability_ratio",
    "q_learning_target",
    "quantile_huber_loss",
    "score_function_loss",
    "select_action_values",
    "sequence_td_error",
    "soft_update",
    "value_loss",
]
