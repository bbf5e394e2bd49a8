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
# "PYTHON" stands for the interpreter of another environment.
PYTHON = re.compile(r"(.*/)?(python3?|PYTHON)$")
FENCE = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
LANGUAGE = re.compile(r"^`{3,}([^\n]*)\n.*?^`{3,}$", re.MULTILINE | re.DOTALL)
# Blocks that are no commands. `test_examples.py` runs those of Python.
OTHER_LANGUAGES = ("python", "text", "{toctree}", "")
# Indented blocks: in Markdown, and in the docstrings of scripts.
INDENTED = re.compile(r"(?<=\n\n)(?: {4}\S.*\n(?: {4,}.*\n)*)")
STARTS = re.compile(
    r"^\s*(?:\w+=\S+ )*"
    r"(?:python|PYTHON|for |sh |pip |tensorboard |\S*sphinx)"
)
OPTION = re.compile(r"^    (--\w+)", re.MULTILINE)
INLINE_OPTION = re.compile(r"`[^`\n]*?(--\w+)[^`\n]*`")
SHELL_WORDS = ("do", "done", "for", "export", "wait")


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


def texts():
    """Each page, and what is to be read on it."""
    for page in PAGES:
        if page.suffix in (".md", ".py"):
            text = page.read_text()
            yield page, text if page.suffix == ".md" else script(text)


def overlooked_blocks(text):
    """The first lines of blocks that are neither commands nor known."""
    for language in LANGUAGE.findall(text):
        if language not in ("sh", *OTHER_LANGUAGES):
            yield f"```{language}"
    text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    for block in INDENTED.findall(text):
        if not (STARTS.match(block) or OPTION.match(block)):
            yield block.splitlines()[0]


def all_commands():
    for page, text in texts():
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
    elif program == "tensorboard":
        option, folder = arguments
        assert option == "--logdir"
        runs, recipe, _ = folder.split("/")
        assert runs == "runs" and (ROOT / f"docs/recipes/{recipe}.py").is_file()
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
        "docs/index.md: .venv/bin/python docs/recipes/space_invaders.py",
        "docs/results/index.md: python docs/results/reference_curves.py",
        "docs/recipes/mnist_three_layer.py: tensorboard --logdir",
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


def test_no_block_is_overlooked():
    for page, text in texts():
        assert not list(overlooked_blocks(text)), page
    text = "Text:\n\n    make all\n\n```console\n$ make\n```\n"
    assert list(overlooked_blocks(text)) == ["```console", "    make all"]


def options_of(source):
    """The options that a script takes, and those that it hides."""
    calls = re.findall(r"add_argument\((.*?)\n?\)\n", source, re.DOTALL)
    options = {}
    for call in calls:
        for option in re.findall(r'^\s*"(--\w+)"', call):
            options[option] = "argparse.SUPPRESS" in call
    return options


@pytest.mark.parametrize(
    "file",
    sorted((ROOT / "docs" / "recipes").glob("*.py")),
    ids=lambda f: f.stem,
)
def test_recipe_lists_its_options(file):
    source = file.read_text()
    listed = OPTION.findall(script(source))
    options = options_of(source)
    assert {"--quick", "--seed", "--out"} <= set(options)
    assert sorted(listed) == sorted(
        option for option, hidden in options.items() if not hidden
    )


def test_options_named_in_the_text_exist():
    known = set()
    for folder in ("docs/recipes", "docs/results", "tests/benchmarks"):
        for file in (ROOT / folder).glob("*.py"):
            known |= set(options_of(file.read_text()))
    named = {}
    for page, text in texts():
        text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        named |= dict.fromkeys(INLINE_OPTION.findall(text), page.name)
    assert {"--tutorial", "--weights", "--prioritized"} <= set(named)
    assert set(named) <= known, named


def test_every_recipe_and_study_shows_its_command():
    shown = " ".join(parameter.id for parameter in all_commands())
    for folder in ("docs/recipes", "docs/results"):
        for file in (ROOT / folder).glob("*.py"):
            assert f"python {folder}/{file.name}" in shown


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
