"""Every public name is documented, and every example in a docstring runs."""

import importlib
import inspect
import re

import keras
import numpy as np
import pytest

import keras_rlkit as rlk

PACKAGES = [name for name in rlk.__all__ if name != "utils"]
WITHOUT_EXAMPLE = {
    "replay.save_minari": "in the example of `load_minari`",
    "callbacks.Collector": "a base class",
    "environments.AtariEnvironment": "made by `atari`",
    "environments.Step": "made by `VectorAdapter.step`",
    "metrics.DistributionMetric": "a base class",
    "replay.Batches": "made by `ReplayBuffer.batches`",
    "replay.EpochBatches": "made by `EpisodeBuffer.batches`",
}
# Examples that make a distribution.
NEEDS_TENSORFLOW = re.compile(r"(?<!Dueling)Head\b|tensorflow_probability")


def public_objects():
    for package in PACKAGES:
        module = importlib.import_module(f"keras_rlkit.{package}")
        for name in module.__all__:
            yield f"{package}.{name}", getattr(module, name)


def examples():
    for name, thing in public_objects():
        text = inspect.cleandoc(thing.__doc__ or "")
        for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
            marks = []
            if NEEDS_TENSORFLOW.search(code):
                marks = [pytest.mark.tensorflow_only]
            yield pytest.param(code, id=name, marks=marks)


def test_every_public_name_has_a_docstring():
    names = [name for name, thing in public_objects() if not thing.__doc__]
    assert not names


def test_every_public_name_has_an_example_or_a_reason():
    names = {
        name
        for name, thing in public_objects()
        if "```python" not in (thing.__doc__ or "")
    }
    assert names == set(WITHOUT_EXAMPLE)


@pytest.mark.parametrize("code", examples())
def test_example_runs(code, tmp_path, monkeypatch, as_printed):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    if "minari" in code:
        pytest.importorskip("minari")
        monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    exec(
        compile(code, "example", "exec"), {"keras": keras, "np": np, "rlk": rlk}
    )
