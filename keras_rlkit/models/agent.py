"""What the models share that wrap a user's networks."""

import inspect
import pathlib
from collections.abc import Callable
from typing import Any

import keras

from keras_rlkit.models.fit_data import (
    check_data,
    is_data_set,
)
from keras_rlkit.models.jax_execution import make_unrolled, must_unroll
from keras_rlkit.models.network_shapes import input_shape_of
from keras_rlkit.models.recurrent_networks import RecurrentNetworks


class Agent(keras.Model):
    """Base of models that act with a network of the user's.

    Subclasses give that network in `_acting_network`: it takes what the model
    takes.
    """

    # Sets the state of recurrent networks; without them there is none.
    _recurrent: RecurrentNetworks | None = None

    @property
    def state_shape(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the state that recurrent networks carry; empty for none."""
        return self._recurrent.state_shape if self._recurrent else ()

    @property
    def _acting_network(self) -> keras.Model:
        raise NotImplementedError

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as the model was that `config` was saved from."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def make_train_function(self, force: bool = False) -> None:
        """Make what `fit` calls for each execution; see `keras.Model`."""
        if self.train_function is not None and not force:
            return
        super().make_train_function(force)
        if must_unroll(self):
            self.train_function = make_unrolled(self)

    def fit(self, *arguments: Any, **options: Any) -> Any:
        """Train, as `keras.Model.fit` does.

        Args:
            *arguments: As in `keras.Model.fit`.
            **options: As in `keras.Model.fit`. `steps_per_epoch` is needed
                for data without an end, as those of a `ReplayBuffer`.

        Returns:
            `keras.callbacks.History`. An epoch in which a score was not
            measured has `None` for it.

        Raises:
            ValueError: If the data are a buffer or an environment, or have no
                end and nothing says how much of them an epoch is.
        """
        named = _by_name(super().fit, arguments, options)
        data = named.get("x")
        for name, steps in (
            ("x", "steps_per_epoch"),
            ("validation_data", "validation_steps"),
        ):
            check_data(name, named.get(name), steps, named.get(steps), "fit")
        if is_data_set(data):
            # They come in an order of their own; Keras warns otherwise.
            named = {"shuffle": False, **named}
        return super().fit(**named)

    def evaluate(self, *arguments: Any, **options: Any) -> Any:
        """Evaluate, as `keras.Model.evaluate` does.

        Args:
            *arguments: As in `keras.Model.evaluate`.
            **options: As in `keras.Model.evaluate`. `steps` is needed for data
                without an end.

        Returns:
            As `keras.Model.evaluate`.

        Raises:
            ValueError: If the data are a buffer or an environment, or have no
                end and `steps` is missing.
        """
        named = _by_name(super().evaluate, arguments, options)
        check_data("x", named.get("x"), "steps", named.get("steps"), "evaluate")
        return super().evaluate(**named)

    def predict(self, *arguments: Any, **options: Any) -> Any:
        """Predict, as `keras.Model.predict` does.

        Args:
            *arguments: As in `keras.Model.predict`.
            **options: As in `keras.Model.predict`. `steps` is needed for data
                without an end.

        Returns:
            As `keras.Model.predict`.

        Raises:
            ValueError: If the data are a buffer or an environment, or have no
                end and `steps` is missing.
        """
        named = _by_name(super().predict, arguments, options)
        check_data("x", named.get("x"), "steps", named.get("steps"), "predict")
        return super().predict(**named)

    def save(
        self, filepath: str | pathlib.Path, *arguments: Any, **options: Any
    ) -> None:
        """Save the model as a `.keras` file.

        Args:
            filepath: Where to; ends in `.keras`.
            *arguments: As in `keras.Model.save`.
            **options: As in `keras.Model.save`.

        Raises:
            ValueError: If the file is to be HDF5, which can't hold a model of
                several networks.
        """
        if str(filepath).endswith((".h5", ".hdf5")):
            raise ValueError(
                f"`{type(self).__name__}` is saved as a `.keras` file: the "
                "older HDF5 format can't hold its networks. Received: "
                f"filepath={str(filepath)!r}. Use a name that ends in "
                "`.keras`, or `save_weights` with `.weights.h5`."
            )
        super().save(filepath, *arguments, **options)

    def export(
        self,
        filepath: str | pathlib.Path,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        **options: Any,
    ) -> None:
        """Export what the model answers, for serving without this package.

        The artifact takes observations and gives what calling the model does.

        Args:
            filepath: Where to.
            format: As in `keras.Model.export`. Defaults to
                `"tf_saved_model"`.
            verbose: As in `keras.Model.export`.
            input_signature: List of one `keras.layers.InputSpec`, or `None`
                for the shape and dtype that the model's network takes.
            **options: As in `keras.Model.export`.

        Raises:
            ValueError: If the network doesn't tell what it takes.

        Example:

        ```python
        network = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
        agent = rlk.models.DoubleDQN(network)
        agent.export("served", verbose=False)
        ```
        """
        if input_signature is None:
            input_signature = _input_signature(self._acting_network)
        super().export(filepath, format, verbose, input_signature, **options)


def _by_name(
    method: Callable, arguments: tuple, options: dict[str, Any]
) -> dict[str, Any]:
    bound = inspect.signature(method).bind(*arguments, **options)
    extra = bound.arguments.pop("kwargs", {})
    return {**bound.arguments, **extra}


def _input_signature(network: keras.Model) -> list[Any]:
    if isinstance(network, keras.Sequential):
        return [_spec(tensor.shape, tensor.dtype) for tensor in network.inputs]
    if getattr(network, "inputs", None):
        return [
            keras.tree.map_structure(
                lambda tensor: _spec(tensor.shape, tensor.dtype), network.input
            )
        ]
    shape = input_shape_of(network)
    if not isinstance(shape, (tuple, list)):
        raise ValueError(
            "`input_signature` must be given where the network does not tell "
            "the shape of observations. Received: input_signature=None. Use "
            "`input_signature=[keras.layers.InputSpec(shape=(None, ...), "
            'dtype="float32")]`.'
        )
    return [_spec(shape, network.input_dtype)]


def _spec(shape: Any, dtype: str) -> Any:
    return keras.layers.InputSpec(shape=(None, *shape[1:]), dtype=dtype)
