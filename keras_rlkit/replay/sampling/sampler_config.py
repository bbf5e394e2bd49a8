"""Samplers in a form for JSON, and back."""

from typing import Any

from keras_rlkit.replay.sampling.prioritized import Prioritized
from keras_rlkit.replay.sampling.sampler import Sampler
from keras_rlkit.replay.sampling.uniform import Uniform
from keras_rlkit.utils import check_choice

SAMPLERS = {"Uniform": Uniform, "Prioritized": Prioritized}


def sampler_config(sampler: Sampler) -> dict[str, Any]:
    """Return a sampler in a form for JSON."""
    return {"name": type(sampler).__name__, "config": sampler.get_config()}


def sampler_from_config(config: dict[str, Any]) -> Sampler:
    """Return the sampler that `sampler_config` was given.

    Args:
        config: What it returned.

    Raises:
        ValueError: If it names no sampler.
    """
    check_choice("sampler", config["name"], SAMPLERS)
    return SAMPLERS[config["name"]].from_config(config["config"])
