import os
import pathlib
import subprocess
import sys

import pytest

import keras_rlkit

ROOT = pathlib.Path(keras_rlkit.__file__).parents[1]
SCRIPT = ROOT / "docs" / "results" / "exact_resume.py"


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_killed_process_resumes_bit_for_bit():
    done = subprocess.run(
        [sys.executable, SCRIPT, "--kills", "1", "--games", "cartpole"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "killed after" in done.stdout
    assert "1 of 1 the same" in done.stdout
