"""Environments of their own for the libraries that are measured beside."""

import pathlib
import subprocess
import sys
import venv

FOLDER = pathlib.Path("runs/benchmarks")
# torch first, so that what needs it doesn't fetch another build.
PACKAGES = {
    "sb3": [
        ["torch==2.13.0"],
        [
            "stable-baselines3==2.9.2",
            "gymnasium==1.4.0",
            "ale-py==0.12.1",
            "opencv-python-headless",
        ],
    ],
    "cpprb": [["numpy", "cpprb==11.0.0"]],
    "tianshou": [
        ["torch==2.13.0"],
        [
            "torch==2.13.0",
            "tianshou==2.0.1",
            "ale-py==0.12.1",
            "opencv-python-headless",
        ],
    ],
    "torchrl": [
        ["torch==2.13.0"],
        ["torch==2.13.0", "torchrl==0.14.1", "tensordict==0.14.3"],
    ],
}


def python_of(peer: str | None) -> str:
    """Return the interpreter of a peer, installing it if it isn't yet.

    Args:
        peer: A key of `PACKAGES`, or `None` for this interpreter.

    Returns:
        Path of an interpreter.
    """
    if peer is None:
        return sys.executable
    folder = FOLDER / peer
    interpreter = folder / "bin" / "python"
    complete = folder / "complete"
    if not complete.exists():
        print(f"Installing {peer} into {folder}/ ...", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        for packages in PACKAGES[peer]:
            subprocess.run(
                [interpreter, "-m", "pip", "install", "-q", *packages],
                check=True,
            )
        complete.touch()
    return str(interpreter.absolute())
