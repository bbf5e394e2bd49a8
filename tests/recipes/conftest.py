import json

import pytest

from tests.recipes.running import RECIPES, run_here


@pytest.fixture
def run(monkeypatch, capsys, as_printed):
    """Runs a recipe in short; returns its results and its last line."""

    def run_recipe(name, folder, *flags):
        flags = ("--quick", "--seed", "1", "--out", folder, *flags)
        run_here(RECIPES / f"{name}.py", monkeypatch, *flags)
        printed = capsys.readouterr().out
        assert "minutes on two CPU cores" in printed
        results = json.loads((folder / "results.json").read_text())
        assert results["seed"] == 1
        return results, printed.strip().splitlines()[-1]

    return run_recipe
