import fcntl
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
SITE = "docs/_build"


def build_command():
    """The line of the README that builds the site."""
    (line,) = [
        line
        for line in (ROOT / "README.md").read_text().splitlines()
        if "sphinx-build" in line
    ]
    return line


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """A copy of the repository in which the README's command was run.

    The copy's `.venv` is the present environment: nothing is installed.
    """
    pytest.importorskip("sphinx", reason='needs pip install ".[docs]"')
    make, install, build = build_command().split(" && ")
    # All workers of pytest-xdist share one copy.
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    copy = base / "site"
    with open(base / "site.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not copy.exists():
            for folder in ("docs", "keras_rlkit"):
                shutil.copytree(
                    ROOT / folder,
                    copy / folder,
                    ignore=shutil.ignore_patterns("_build", "api", "__pyca*"),
                )
            (copy / ".venv").symlink_to(sys.prefix)
            process = subprocess.run(
                build,
                shell=True,
                cwd=copy,
                capture_output=True,
                text=True,
            )
            (copy / "rc").write_text(str(process.returncode))
            (copy / "log").write_text(process.stdout)
            (copy / "warnings").write_text(process.stderr)
    return copy


@pytest.fixture(scope="session")
def site(built):
    """The folder of the pages."""
    if (built / "rc").read_text() != "0":
        pytest.fail((built / "warnings").read_text()[-4000:])
    return built / SITE
