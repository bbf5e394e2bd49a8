"""How much of the bias importance weights take away, batch by batch."""

from typing import Any

import keras

from keras_rlkit.utils import check_fraction

# A Keras schedule takes as long as ten draws: it is asked once in so many.
BATCHES_OF_A_BETA = 100
# Schedules compute in float32, which may step over 0 or 1 by a rounding.
ROUNDING = 1e-6


class BetaSchedule:
    """A number in [0, 1] for each batch, constant or by a schedule of Keras.

    Args:
        beta: Number, or `keras.optimizers.schedules.LearningRateSchedule` of
            the number of batches drawn.

    Raises:
        ValueError: If it is neither.
    """

    def __init__(self, beta: Any):
        self.beta = _check_beta(beta)
        self._now: float | None = None

    def at(self, batches: int) -> float:
        """Return beta after so many batches, of which each is asked for."""
        if isinstance(self.beta, float):
            return self.beta
        since = batches % BATCHES_OF_A_BETA
        if self._now is None or not since:
            step = batches - since
            beta = float(keras.ops.convert_to_numpy(self.beta(step)))
            if not -ROUNDING <= beta <= 1 + ROUNDING:
                raise ValueError(
                    "`beta` must be a schedule that stays in [0, 1]. "
                    f"Received: beta={beta} at batch {step}. Choose its first "
                    "and last value in that range."
                )
            self._now = min(max(beta, 0.0), 1.0)
        return self._now

    def forget(self) -> None:
        """Ask the schedule anew: another number of batches comes next."""
        self._now = None

    def get_config(self) -> Any:
        """Return `beta` in a form for JSON."""
        if isinstance(self.beta, float):
            return self.beta
        return keras.saving.serialize_keras_object(self.beta)

    @staticmethod
    def from_config(config: Any) -> Any:
        """Return the `beta` of `get_config`. Imports nothing that it names."""
        if not isinstance(config, dict):
            return config
        return _find_schedule(config).from_config(config["config"])


def _check_beta(beta: Any) -> Any:
    if isinstance(beta, keras.optimizers.schedules.LearningRateSchedule):
        return beta
    if callable(beta):
        raise ValueError(
            "`beta` must be a number in [0, 1] or a "
            "`keras.optimizers.schedules.LearningRateSchedule`, which can be "
            f"saved. Received: beta={beta!r}."
        )
    return check_fraction("beta", beta)


def _find_schedule(config: dict[str, Any]) -> type:
    name = config.get("registered_name") or config.get("class_name")
    schedules = keras.optimizers.schedules
    found = keras.saving.get_registered_object(name)
    found = found or getattr(schedules, str(name), None)
    base = schedules.LearningRateSchedule
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ValueError(
            "`beta` must be a schedule of Keras, or a registered one. "
            f"Received: {name!r}. Import the module that registers it with "
            "`keras.saving.register_keras_serializable` before loading."
        )
    return found
