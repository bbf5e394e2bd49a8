"""What writes the pages: docstrings and recipes as Markdown, one per name."""

import ast
import pathlib
import re
import sys

import pytest

import keras_rlkit as rlk

pytest.importorskip("sphinx", reason='needs pip install ".[docs]"')
pytest.importorskip("myst_parser", reason='needs pip install ".[docs]"')
DOCS = pathlib.Path(__file__).parents[2] / "docs"
PACKAGE = pathlib.Path(rlk.__file__).parent
sys.path.insert(0, str(DOCS / "_ext"))

import api_pages  # noqa: E402
import docstrings  # noqa: E402
import public_names  # noqa: E402
import recipe_pages  # noqa: E402

NAMES = {
    f"{package}.{name}"
    for package in rlk.__all__
    if package != "utils"
    for name in getattr(rlk, package).__all__
}


def test_one_page_for_each_public_name_with_a_docstring():
    pages = api_pages.pages()
    packages = set(rlk.__all__) - {"utils"}
    assert set(pages) == NAMES | packages | {"index"}
    for name in NAMES:
        package, short = name.split(".")
        assert getattr(getattr(rlk, package), short).__doc__
        assert f":: keras_rlkit.{name}\n" in pages[name]
        assert f"({name}.md)" in pages[package]


@pytest.mark.parametrize("package", rlk.__all__)
def test_public_names_are_those_that_the_package_imports(package):
    source = (PACKAGE / package / "__init__.py").read_text()
    imported = [
        alias.asname or alias.name
        for node in ast.parse(source).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    assert sorted(imported) == sorted(getattr(rlk, package).__all__)


def test_every_folder_is_public():
    folders = {file.parent.name for file in PACKAGE.glob("*/__init__.py")}
    assert folders == set(rlk.__all__)


def test_every_registered_class_is_public():
    classes = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ClassDef) and "register" in map(
                ast.unparse, node.decorator_list
            ):
                classes.add(f"{file.relative_to(PACKAGE).parts[0]}.{node.name}")
    assert len(classes) > 15
    assert classes <= NAMES


def test_names_written_on_pages_are_public():
    written = set()
    for page in [DOCS.parent / "README.md", *DOCS.rglob("*.[mp][dy]")]:
        if not {"_build", "api", "_ext"} & set(page.parts):
            text = page.read_text()
            written |= {
                ".".join(name)
                for name in re.findall(r"\brlk\.(\w+)\.(\w+)", text)
            }
    assert len(written) > 30
    assert written <= NAMES


def test_pages_of_names_that_are_gone_are_removed(tmp_path):
    (tmp_path / "layers.Vanished.md").write_text("# Vanished")
    api_pages.write(tmp_path)
    assert {f.stem for f in tmp_path.iterdir()} == set(api_pages.pages())


def test_pages_that_are_the_same_are_left_alone(tmp_path):
    api_pages.write(tmp_path)
    page = tmp_path / "ops.md"
    before = page.stat().st_mtime_ns
    (tmp_path / "layers.md").write_text("old")
    api_pages.write(tmp_path)
    assert page.stat().st_mtime_ns == before
    assert (tmp_path / "layers.md").read_text() == api_pages.pages()["layers"]


def test_names_that_are_linked():
    meant = public_names.targets()
    head = "keras_rlkit.layers.DuelingHead"
    for written in ("DuelingHead", "rlk.layers.DuelingHead", head):
        assert meant[written] == head
    assert meant["environments.check"] == "keras_rlkit.environments.check"
    # A word is no name.
    assert "check" not in meant and "entropy" not in meant


def rst(text):
    return "\n".join(docstrings.to_rst(text.split("\n"))).strip("\n")


@pytest.mark.parametrize(
    "markdown, expected",
    [
        ("Use `fit`.", "Use ``fit``."),
        ("A `long\n    name` here", "A ``long name`` here"),
        ("`a` and\n`b`", "``a`` and\n``b``"),
        ("List of `Finding`s", "List of ``Finding``\\ s"),
        ("|share - p| of 2 * p", "\\|share - p\\| of 2 \\* p"),
        ("lambda_ is `lambda_`", "lambda\\_ is ``lambda_``"),
        ("    lambda_: Number.", "    lambda_: Number."),
        ("    **kwargs: others", "    **kwargs: others"),
        ("- **A2C**: *is* good", "- **A2C**: *is* good"),
        ("[page](https://a.b/c_d)", "`page <https://a.b/c_d>`__"),
        (
            "```python\nx = y ** 2  # `z`\n```",
            ".. code-block:: python\n\n   x = y ** 2  # `z`",
        ),
        ("Example:\n\nText", ".. rubric:: Example\n\nText"),
        ("Reference:\n    Text", "Reference:\n    Text"),
    ],
)
def test_docstrings_become_restructured_text(markdown, expected):
    assert rst(markdown) == expected


def test_signature_is_that_of_the_constructor():
    class Anything:
        def __new__(cls, *args, **kwargs):
            return object.__new__(cls)

    class Own(Anything):
        def __init__(self, units: int, name: str = "x", **kwargs):
            pass

    assert docstrings.signature_of(Own) == "(units, name='x', **kwargs)"
    assert docstrings.signature_of(len) is None


RECIPE = '''"""Balance a pole: short.

What you will see: a pole.
"""

import keras

# ## First part
#
# Some *words*.

a = 1  # not a heading
# a comment
b = 2

# ## Last part

print(a)
'''


def test_recipe_becomes_a_page():
    page = recipe_pages.to_markdown("unmeasured", RECIPE)
    assert page == (
        "# Balance a pole: short\n\n"
        "What you will see: a pole.\n\n\n"
        "{download}`Download unmeasured.py <unmeasured.py>`\n\n"
        "```python\nimport keras\n```\n\n\n"
        "## First part\n\nSome *words*.\n\n"
        "```python\na = 1  # not a heading\n# a comment\nb = 2\n```\n\n\n"
        "## Last part\n\n"
        "```python\nprint(a)\n```\n\n"
    )


def test_pictures_come_from_the_results():
    pictures = dict(
        (path, text)
        for text, path in recipe_pages.pictures_of("space_invaders")
    )
    assert "results/space_invaders/play.gif" in pictures
    assert all(pictures.values())
    # A page of several recipes gives each its own.
    (picture,) = recipe_pages.pictures_of("pendulum_ppo")
    assert picture[1] == "results/policy_gradients/pendulum_ppo.png"
    both = [
        path for _, path in recipe_pages.pictures_of("cartpole_actor_critic")
    ]
    assert both == [
        "results/policy_gradients/cartpole_a2c.png",
        "results/policy_gradients/cartpole_ppo.png",
    ]
    assert recipe_pages.pictures_of("unmeasured") == []


@pytest.mark.parametrize("file", sorted((DOCS / "recipes").glob("*.py")))
def test_every_recipe_can_be_shown(file):
    source = file.read_text()
    page = recipe_pages.to_markdown(file.stem, source)
    assert page.startswith("# ") and page.count("```") % 2 == 0
    # No line of code is lost.
    lines = source.split("\n")[ast.parse(source).body[0].end_lineno :]
    code = [x for x in lines if x.strip() and not x.startswith("#")]
    shown = page.split("\n")
    assert code == [x for x in shown if x in set(code)][-len(code) :]
