"""Every command of README and pages, as it stands there.

What is quick is run; of long runs the script and its flags must exist.
"""

import pathlib
import re
import shlex
import subprocess
import tomllib

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "recipes").glob("*.*")),
    *sorted((ROOT / "docs" / "results").glob("*.*")),
    *sorted((ROOT / "tests" / "benchmarks").glob("*.py")),
]
PYTHON = re.compile(r"(.*/)?python3?$")
FENCE = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Indented blocks: in Markdown, and in the docstrings of scripts.
INDENTED = re.compile(r"(?:^ {4}\S.*\n(?: {4,}.*\n)*)", re.MULTILINE)
STARTS = re.compile(r"^\s*(?:\w+=\S+ )*(?:python|for |sh |pip |\S*sphinx)")
SHELL_WORDS = ("do", "done", "for", "export")


def commands_in(text):
    """The simple commands in the shell blocks of a text, as lists of words."""
    blocks = FENCE.findall(text)
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    blocks += [b for b in INDENTED.findall(text) if STARTS.match(b)]
    for block in blocks:
        # A line that ends in a backslash, or options, go on in the next one.
        block = re.sub(r"\\+\n\s*|\n\s+(?=\[)", " ", block)
        for line in block.splitlines():
            line = line.split(" #")[0].strip()
            for simple in re.split(r"&&|;", line):
                words = shlex.split(simple)
                while words and (
                    "=" in words[0] or words[0] in ("do", "export")
                ):
                    words = words[1:]
                if words and words[0] not in SHELL_WORDS:
                    yield words


def script(text):
    return text.split('"""')[1] + "\n" if text.startswith('"""') else ""


def all_commands():
    for page in PAGES:
        if page.suffix not in (".md", ".py") or page.name == "index.md":
            continue
        text = page.read_text()
        text = text if page.suffix == ".md" else script(text)
        for words in commands_in(text):
            name = f"{page.relative_to(ROOT)}: {' '.join(words)}"
            yield pytest.param(words, id=name)


def check_python(words):
    if words[:2] == ["-m", "venv"]:
        return
    file = ROOT / words[0]
    assert file.is_file(), f"{words[0]} doesn't exist"
    source = file.read_text()
    for word in words[1:]:
        # Square brackets mark what may be left out.
        if word.lstrip("[").startswith("--"):
            flag = word.strip("[]").split("=")[0]
            assert f'"{flag}"' in source, f"{words[0]} has no {flag}"


def check_pip(words):
    assert words[0] == "install"
    for word in words[1:]:
        name, _, extras = word.partition("[")
        extras = {x for x in extras.rstrip("]").split(",") if x}
        if name == ".":
            assert extras <= set(PROJECT["optional-dependencies"])
            continue
        wanted = [
            *PROJECT["dependencies"],
            *PROJECT["optional-dependencies"]["test"],
        ]
        assert any(re.match(rf"{name}\b", line) for line in wanted) or (
            name == PROJECT["name"]
            and extras <= set(PROJECT["optional-dependencies"])
        ), f"{name} is nothing that the package uses"


@pytest.mark.parametrize("words", all_commands())
def test_command(words):
    program, *arguments = words
    if PYTHON.match(program):
        check_python(arguments)
    elif program.endswith("pip"):
        check_pip(arguments)
    elif program == "sh":
        assert (ROOT / arguments[0]).is_file()
    elif program.endswith("sphinx-build"):
        *_, source, target = arguments
        assert (ROOT / source / "conf.py").is_file()
        assert f"{target}/" in (ROOT / ".gitignore").read_text()
    else:
        pytest.fail(f"no check for the command {words}")


def test_commands_are_found():
    found = [parameter.id for parameter in all_commands()]
    for start in (
        "README.md: .venv/bin/python docs/recipes/space_invaders.py",
        "README.md: sh tests/run.sh",
        "README.md: .venv/bin/pip install .[test]",
        "README.md: .venv/bin/sphinx-build -W docs docs/_build",
        "docs/results/cartpole_dqn.md: python docs/recipes/cartpole_dqn.py "
        "--seed $seed --out runs/cartpole_dqn_$seed",
        "docs/recipes/cartpole_actor_critic.py: python "
        "docs/recipes/cartpole_actor_critic.py --ppo",
        "tests/benchmarks/settings_effects.py: python "
        "tests/benchmarks/settings_effects.py [--quick]",
        "tests/benchmarks/run.py: python tests/benchmarks/run.py [--quick]",
    ):
        assert any(name.startswith(start) for name in found), start


@pytest.mark.parametrize(
    "words, message",
    [
        (["python", "docs/recipes/gone.py"], "doesn't exist"),
        (["python", "docs/recipes/cartpole_dqn.py", "--gone"], "no --gone"),
        (["pip", "install", "gone"], "nothing that the package uses"),
        (["pip", "install", ".[gone]"], "gone"),
        (["make", "all"], "no check for the command"),
    ],
)
def test_wrong_commands_are_noticed(words, message):
    with pytest.raises((AssertionError, pytest.fail.Exception), match=message):
        test_command(words)


def test_every_recipe_and_study_shows_its_command():
    shown = " ".join(parameter.id for parameter in all_commands())
    for folder in ("docs/recipes", "docs/results"):
        for file in (ROOT / folder).glob("*.py"):
            assert f"python {folder}/{file.name}" in shown


@pytest.mark.tensorflow_only
def test_reference_curves_are_drawn_by_their_command(built):
    (command,) = {
        " ".join(parameter.values[0])
        for parameter in all_commands()
        if parameter.id.startswith("docs/results/reference_curves.py")
    }
    folder = built / "docs" / "results" / "references"
    names = {file.name for file in folder.iterdir()}
    for name in names:
        (folder / name).unlink()
    process = subprocess.run(
        command.replace("python ", ".venv/bin/python ", 1),
        shell=True,
        cwd=built,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    assert {file.name for file in folder.iterdir()} == names
    assert names == {"cartpole_dqn.png", "space_invaders.png"}


def pages_with_links():
    return [page for page in PAGES if page.suffix == ".md"]


@pytest.mark.parametrize(
    "page", pages_with_links(), ids=lambda page: str(page.relative_to(ROOT))
)
def test_links_between_files(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"\w+:", link):
            continue
        path, _, anchor = link.partition("#")
        file = (page.parent / path).resolve() if path else page
        # The API pages are made with the site.
        if file.parent == ROOT / "docs" / "api":
            continue
        assert file.is_file(), link
        if anchor:
            headings = {
                re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(
                    " ", "-"
                )
                for line in file.read_text().splitlines()
                if line.startswith("#")
            }
            assert anchor in headings, link
