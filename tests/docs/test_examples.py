"""The Python of README and pages runs, with smaller numbers."""

import ast
import contextlib
import pathlib
import re

import keras
import pytest

ROOT = pathlib.Path(__file__).parents[2]
ATARI = {
    "capacity=200_000": "capacity=1_000",
    "epochs=30": "epochs=1",
    "steps_per_epoch=2_500": "steps_per_epoch=20",
    "warmup_steps=10_000": "warmup_steps=200",
}
CARTPOLE = {
    "steps, warmup_steps = 50_000, 1_000": "steps, warmup_steps = 600, 200"
}
# Page, what is made smaller, a file that it leaves, its backend.
EXAMPLES = [
    ("README.md", ATARI, "space_invaders.keras", "tensorflow"),
    ("docs/index.md", ATARI, "space_invaders.keras", "tensorflow"),
    ("docs/recipes/migrate_from_keras_rl.md", CARTPOLE, "agent.keras", None),
    ("docs/recipes/migrate_from_tf_agents.md", CARTPOLE, "agent.keras", None),
    ("docs/troubleshooting.md", {}, None, None),
    ("docs/spaces.md", {}, None, None),
    ("docs/speed.md", {}, None, None),
    ("docs/distribution_heads.md", {}, None, "tensorflow"),
    ("docs/testing_your_parts.md", {}, None, "tensorflow"),
]


def blocks(page):
    text = (ROOT / page).read_text()
    return re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    "page, smaller, leaves, backend", EXAMPLES, ids=[e[0] for e in EXAMPLES]
)
def test_example(
    page, smaller, leaves, backend, tmp_path, monkeypatch, as_printed
):
    if backend not in (None, keras.backend.backend()):
        pytest.skip(f"the example is for the {backend} backend")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    code = "\n".join(blocks(page))
    for number, small in smaller.items():
        assert code.count(number) == 1, number
        code = code.replace(number, small)
    namespace = {}
    exec(compile(code, page, "exec"), namespace)
    assert leaves is None or (tmp_path / leaves).stat().st_size > 10_000


@pytest.mark.parametrize("page", [example[0] for example in EXAMPLES])
def test_steps_of_an_epoch_are_whole_executions(page):
    tree = ast.parse("\n".join(blocks(page)))
    numbers = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            # Attributes are no numbers of steps.
            with contextlib.suppress(ValueError, AttributeError):
                (names,), value = node.targets, ast.literal_eval(node.value)
                several = isinstance(names, ast.Tuple)
                names = names.elts if several else [names]
                values = value if several else [value]
                numbers |= {n.id: v for n, v in zip(names, values, strict=True)}

    def values(name):
        return [
            eval(ast.unparse(node.value), {}, dict(numbers))
            for node in ast.walk(tree)
            if isinstance(node, ast.keyword) and node.arg == name
        ]

    for steps in values("steps_per_epoch"):
        for executed in values("steps_per_execution"):
            assert not steps % executed, f"{steps} steps by {executed}"


def test_all_pages_with_python_are_here():
    pages = {
        str(page.relative_to(ROOT))
        for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
        if not {"_build", "api"} & set(page.parts)
        and blocks(page.relative_to(ROOT))
    }
    assert pages == {page for page, *_ in EXAMPLES}


def test_main_job_is_ten_statements():
    (code,) = blocks("docs/index.md")
    assert len(ast.parse(code).body) == 10


def test_split_of_time_is_read(capsys):
    exec("\n".join(blocks("docs/speed.md")), {})
    shares = [
        int(line.split()[1])
        for line in capsys.readouterr().out.splitlines()
        if line.startswith("time_")
    ]
    assert len(shares) == 5
    assert sum(shares) == pytest.approx(100, abs=5)
