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
    "plots": 2,
    "replay": 2,
    "policies": 2,
    "environments": 2,
    "models": 3,
    "callbacks": 4,
}
LEAVES = {
    "tensorflow": ("replay/tf_", "layers/dist", "losses/neg", "ops/pred"),
    "tensorflow_probability": ("layers/", "losses/", "ops/pred", "ops/scor"),
    "gymnasium": ("environments/",),
    "ale_py": ("environments/",),
    "matplotlib": ("plots/",),
    "imageio": ("callbacks/record_episode.py",),
    "jax": (),
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
            yield node.module or "", id(node) not in inside


def faults(path, text):
    """Return what a file at `path` (below the package) imports wrongly."""
    home, found = path.split("/")[0], []
    for module, at_top in imports(ast.parse(text)):
        parts = module.split(".")
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
    ],
)
def test_the_guard_sees_a_fault(path, text):
    assert len(faults(path, text)) == 1


def test_importing_the_kit_imports_no_optional_package():
    code = (
        "import sys, keras\n"
        "before = set(sys.modules)\n"
        "import keras_rlkit\n"
        "names = ['tensorflow', 'tensorflow_probability', 'gymnasium',"
        " 'ale_py', 'matplotlib', 'imageio']\n"
        "print([n for n in names if n in set(sys.modules) - before])"
    )
    process = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "KERAS_BACKEND": "jax"},
    )
    assert process.stdout.strip() == "[]", process.stderr
