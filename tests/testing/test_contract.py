"""Every public part keeps the contract, with what its own test file gives.

The file that tests a part has a table `CONTRACT`: the part, and what the check
of its family takes beside it. Arguments stand where the part's other tests do,
so that a new part needs its own file, its test file and its package's list.
"""

import importlib
import inspect
import pathlib

import keras
import pytest

import keras_rlkit as rlk

TESTS = pathlib.Path(__file__).parents[1]
CHECKS = {
    "callbacks": rlk.testing.check_callback,
    "losses": rlk.testing.check_loss,
    "metrics": rlk.testing.check_metric,
    "models": rlk.testing.check_model,
    "policies": rlk.testing.check_policy,
}
# Public classes that aren't made by users, or only to be subclassed.
NO_PARTS = {
    "callbacks.Collector": "a base class",
    "layers.DistributionHead": "a base class",
    "metrics.DistributionMetric": "a base class",
    "replay.Batches": "made by `ReplayBuffer.batches`",
    "replay.EpochBatches": "made by `EpisodeBuffer.batches`",
}
# Their predictions are distributions.
NEED_TENSORFLOW = {
    "layers.DistributionLambda",
    "losses.NegativeLogLikelihood",
}


def public_parts():
    """Yield the name and class of every part of the public packages."""
    for package in (*CHECKS, "layers", "replay"):
        module = getattr(rlk, package)
        for name in module.__all__:
            part = getattr(module, name)
            if inspect.isclass(part):
                yield f"{package}.{name}", part


def entries():
    """Return what all test files say in their `CONTRACT`."""
    found = {}
    for file in sorted(TESTS.rglob("*.py")):
        if "\nCONTRACT = {" in file.read_text():
            path = file.relative_to(TESTS.parent).with_suffix("")
            module = importlib.import_module(".".join(path.parts))
            found |= module.CONTRACT
    return found


def check_of(name, part):
    """Return the check of a part's family."""
    package = name.split(".")[0]
    if package == "layers":
        base = rlk.layers.DistributionLambda.__mro__[1]
        distribution = issubclass(part, base)
        return (
            rlk.testing.check_head if distribution else rlk.testing.check_layer
        )
    if package == "replay":
        if hasattr(part, "add"):
            return rlk.testing.check_buffer
        if hasattr(part, "draw"):
            return rlk.testing.check_sampler
        return rlk.testing.check_storage
    return CHECKS[package]


def missing(parts, known):
    """Say for each part without an entry what to add, and where."""
    return [
        f"`{name}` has no entry in `CONTRACT`. Add one to the file that tests "
        f"it, tests/{name.split('.')[0]}/.../test_*.py: "
        f"CONTRACT = {{rlk.{name}: {{...}}}} with what "
        f"`rlk.testing.{check_of(name, part).__name__}` takes beside it: "
        f"{inspect.signature(check_of(name, part))}."
        for name, part in parts
        if part not in known and name not in NO_PARTS
    ]


ENTRIES = entries()
PARTS = {name: part for name, part in public_parts() if name not in NO_PARTS}


def needs_tensorflow(name, part):
    return (
        check_of(name, part) is rlk.testing.check_head
        or name.startswith("metrics.")
        or name in NEED_TENSORFLOW
    )


def test_every_public_part_has_an_entry():
    assert missing(public_parts(), ENTRIES) == []


def test_the_message_for_a_new_part_says_what_to_add():
    class NewHead(keras.layers.Layer):
        pass

    (message,) = missing([("layers.NewHead", NewHead)], ENTRIES)
    assert "CONTRACT = {rlk.layers.NewHead: {...}}" in message
    assert "`rlk.testing.check_layer`" in message
    assert "tests/layers/.../test_*.py" in message


def test_entries_and_exceptions_are_of_public_parts():
    assert set(ENTRIES) == set(PARTS.values())
    assert set(NO_PARTS) <= {name for name, _ in public_parts()}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            name,
            marks=[pytest.mark.tensorflow_only]
            if needs_tensorflow(name, part)
            else [],
        )
        for name, part in PARTS.items()
    ],
)
def test_contract(name, monkeypatch, tmp_path):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.chdir(tmp_path)
    part = PARTS[name]
    check_of(name, part)(part, **ENTRIES[part])
