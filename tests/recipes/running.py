"""Runs the recipes and the programs behind the results."""

import os
import pathlib
import runpy
import subprocess
import sys

import matplotlib

RECIPES = pathlib.Path(__file__).parents[2] / "docs" / "recipes"


def run_here(file, monkeypatch, *arguments):
    """Run a program in this process: importing its libraries takes longer."""
    monkeypatch.setattr(sys, "argv", [str(file), *map(str, arguments)])
    matplotlib.use("agg")
    runpy.run_path(str(file), run_name="__main__")


def run_command(file, *arguments):
    """Run a program as a reader does; return what it printed."""
    process = subprocess.run(
        [sys.executable, str(file), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "MPLBACKEND": "agg"},
    )
    assert process.returncode == 0, process.stderr[-3000:]
    return process.stdout
