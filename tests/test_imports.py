"""Guards: which way imports go, and where optional packages may be used."""

import ast
import os
import pathlib
import subprocess
import sys

import pytest

import keras_rlkit

ROOT = pathlib.Path(keras_rlkit.__file__).parent
FLOORS = {
    "utils": 0,
    "ops": 1,
    "layers": 2,
    "losses": 2,
    "metrics": 2,
    "networks": 2,
    "plots": 2,
    "replay": 2,
    "policies": 2,
    "environments": 2,
    "models": 3,
    "callbacks": 4,
    "testing": 5,
}
LEAVES = {
    "tensorflow": (
        "replay/feeding/tf_",
        "models/fused_update.py",
        "policies/tf_",
        "layers/dist",
        "losses/neg",
        "ops/predicted_samples.py",
        "ops/replicas.py",
    ),
    "tensorflow_probability": (
        "layers/",
        "losses/",
        "ops/predicted_samples.py",
        "ops/scor",
    ),
    "gymnasium": ("environments/", "testing/"),
    "ale_py": ("environments/",),
    "matplotlib": ("plots/",),
    "imageio": ("callbacks/record_episode.py",),
    "minari": ("replay/minari_datasets.py",),
    "zstandard": ("replay/storage/frames_compressed.py",),
    "jax": ("replay/feeding/jax_", "policies/jax_", "models/jax_"),
    "torch": (),
}


def imports(tree):
    """Yield `(module, at module level)` for each import of a file."""
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) not in inside
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            for alias in node.names:
                # `from keras_rlkit import models` names its module last.
                yield f"{module}.{alias.name}", id(node) not in inside
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in (
            "importlib.import_module",
            "import_module",
            "__import__",
        ):
            yield str(ast.literal_eval(node.args[0])), id(node) not in inside


def faults(path, text):
    """Return what a file at `path` (below the package) imports wrongly."""
    home, found = path.split("/")[0], []
    for module, at_top in imports(ast.parse(text)):
        parts = module.split(".")
        if parts[0] == "":
            found.append(f"{path}: relative import {module}")
        if parts[0] == "keras_rlkit" and len(parts) > 1 and home in FLOORS:
            if parts[1] != home and FLOORS[parts[1]] >= FLOORS[home]:
                found.append(f"{path}: {home} imports {parts[1]}")
        if parts[0] in LEAVES:
            allowed = any(path.startswith(leaf) for leaf in LEAVES[parts[0]])
            if at_top or not allowed:
                found.append(f"{path}: imports {parts[0]}")
    return found


def test_imports_go_one_way_and_optional_packages_stay_in_their_leaves():
    files = [p for p in ROOT.rglob("*.py") if p != ROOT / "__init__.py"]
    assert len(files) > 50
    found = [
        fault
        for file in files
        for fault in faults(file.relative_to(ROOT).as_posix(), file.read_text())
    ]
    assert not found


@pytest.mark.parametrize(
    "path, text",
    [
        ("ops/a.py", "from keras_rlkit.models import DoubleDQN"),
        ("replay/a.py", "import keras_rlkit.environments.atari"),
        ("policies/a.py", "def f():\n    import tensorflow as tf"),
        ("environments/a.py", "import gymnasium"),
        ("models/a.py", "from jax import numpy"),
        ("models/a.py", "from keras_rlkit import callbacks"),
        ("replay/a.py", "from ..models import double_dqn"),
        ("utils/a.py", "def f():\n    from keras_rlkit.ops import entropy"),
        ("losses/a.py", "if True:\n    import tensorflow_probability as tfp"),
        ("environments/a.py", "class A:\n    import ale_py"),
        ("callbacks/a.py", "def f():\n    from matplotlib import pyplot"),
        ("callbacks/a.py", "def f():\n    import imageio.v3 as iio"),
        ("replay/a.py", "def f():\n    __import__('torch')"),
        ("replay/a.py", "def f():\n    import zstandard"),
        (
            "policies/a.py",
            "import importlib\n"
            "def f():\n    importlib.import_module('tensorflow.nn')",
        ),
    ],
)
def test_the_guard_sees_a_fault(path, text):
    assert len(faults(path, text)) == 1


@pytest.mark.parametrize(
    "path, text",
    [
        ("callbacks/a.py", "from keras_rlkit import models, replay, utils"),
        ("models/a.py", "import keras_rlkit.ops.returns"),
        ("losses/a.py", "from keras_rlkit.losses.b import Loss"),
        ("replay/feeding/tf_a.py", "def f():\n    import tensorflow as tf"),
        ("environments/a.py", "def f():\n    from gymnasium import spaces"),
        ("ops/a.py", "import math\nimport keras\nimport numpy as np"),
    ],
)
def test_the_guard_lets_pass_what_is_right(path, text):
    assert faults(path, text) == []


def floors(below, package, depth):
    """Return rooms, or files, of a package in floors, lowest first.

    Args:
        below: For each path of a file, the modules that it imports.
        package: Whose files they are.
        depth: 2 for rooms, which are folders of the package and files beside
            them; 3 for the files in rooms.

    Returns:
        A list of sets, each of which needs the earlier ones only; and what is
        left because it goes round.
    """
    edges = {}
    for path, modules in below.items():
        here = tuple(path.removesuffix(".py").split("/"))[:depth]
        if here[0] == package:
            there = {tuple(module.split("."))[:depth] for module in modules}
            edges.setdefault(here, set()).update(there - {here})
    found = []
    while True:
        floor = {a for a, b in edges.items() if not b & set(edges)}
        if not floor:
            return found, sorted(edges)
        found.append(floor)
        edges = {a: b for a, b in edges.items() if a not in floor}


def uphill(below):
    """Return what goes round between rooms, or between files of one."""
    packages = {path.split("/")[0] for path in below}
    left = [floors(below, p, depth)[1] for p in packages for depth in (2, 3)]
    return [rest for rest in left if rest]


def modules_of(text):
    """Return what a file imports from the kit."""
    return {
        module.removeprefix("keras_rlkit.")
        for module, _ in imports(ast.parse(text))
        if module.startswith("keras_rlkit.")
    }


def read_package():
    files = [p for p in ROOT.rglob("*.py") if p.name != "__init__.py"]
    return {
        file.relative_to(ROOT).as_posix(): modules_of(file.read_text())
        for file in files
    }


def test_imports_go_one_way_between_rooms_and_within_them():
    below = read_package()
    assert len(below) > 100
    assert uphill(below) == []


def test_the_memories_are_a_house_of_few_rooms():
    rooms, _ = floors(read_package(), "replay", 2)
    assert sum(map(len, rooms)) <= 10
    assert len(rooms) <= 6


def test_the_guard_sees_rooms_that_need_each_other():
    below = {
        "replay/storage/a.py": {"replay.feeding.b.B"},
        "replay/feeding/b.py": set(),
        "replay/feeding/c.py": {"replay.storage.d.D"},
        "replay/storage/d.py": set(),
    }
    assert len(uphill(below)) == 1
    del below["replay/feeding/c.py"]
    assert uphill(below) == []


def test_the_guard_sees_files_that_need_each_other():
    below = {"ops/a.py": {"ops.b.f"}, "ops/b.py": {"ops.a.g"}}
    assert len(uphill(below)) == 1


def test_importing_the_kit_imports_no_optional_package():
    code = (
        "import sys, keras\n"
        "before = set(sys.modules)\n"
        "import keras_rlkit\n"
        "names = ['tensorflow', 'tensorflow_probability', 'gymnasium',"
        " 'ale_py', 'matplotlib', 'imageio', 'zstandard']\n"
        "print([n for n in names if n in set(sys.modules) - before])"
    )
    process = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "jax"},
    )
    assert process.stdout.strip() == "[]", process.stderr
