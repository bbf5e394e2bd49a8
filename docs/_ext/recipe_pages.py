"""Shows recipes, `docs/recipes/*.py`, as pages, and all of them in a gallery.

A recipe is a Python file that reads from top to bottom: a docstring, code, and
comments that begin with `# ## Heading` and are Markdown. Recipes aren't run
by a build. Their pictures are those of `docs/results/`, of the page with the
same name, or of the page that RESULTS_OF names.
"""

import ast
import pathlib
import re

from myst_parser.parsers.sphinx_ import MystParser

DOCS = pathlib.Path(__file__).parents[1]
HEADING = re.compile(r"^# ## ")
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)]+)\)")
# Recipes whose results stand on a page of another name, and their pictures.
RESULTS_OF = {
    "pendulum_ppo": ("policy_gradients", "pendulum_ppo"),
    "cartpole_reinforce": ("policy_gradients", "cartpole_reinforce"),
    "cartpole_actor_critic": ("policy_gradients", "cartpole_(a2c|ppo)"),
    "atari_ppo": ("policy_gradients", "atari_ppo"),
}


def to_markdown(name: str, source: str) -> str:
    """Return a recipe as a Markdown page.

    Args:
        name: Name of the recipe's file without `.py`.
        source: Its text.
    """
    tree = ast.parse(source)
    title, _, rest = ast.get_docstring(tree).partition("\n\n")
    lines = source.split("\n")[tree.body[0].end_lineno :]
    parts = [f"# {title.rstrip('.')}", "", rest, ""]
    parts += _results(name)
    parts += [f"{{download}}`Download {name}.py <{name}.py>`", ""]
    prose, code, in_prose = [], [], False
    for line in lines:
        if HEADING.match(line):
            parts += _code(code)
            code, in_prose = [], True
        if in_prose and (line == "#" or line.startswith("# ")):
            prose.append(line[2:])
            continue
        if in_prose:
            parts += ["", *prose, ""]
            prose, in_prose = [], False
        code.append(line)
    return "\n".join([*parts, *prose, *_code(code)]) + "\n"


def pictures_of(name: str) -> list[tuple[str, str]]:
    """Return alternative text and path in `docs/` of a recipe's pictures."""
    page, which = RESULTS_OF.get(name, (name, ""))
    file = DOCS / "results" / f"{page}.md"
    found = PICTURE.findall(file.read_text()) if file.exists() else []
    return [
        (text, f"results/{path}")
        for text, path in found
        if re.search(which, path)
    ]


def gallery() -> str:
    """Return the page that shows every recipe."""
    cards, names = [], []
    for file in sorted((DOCS / "recipes").iterdir(), key=_order):
        if file.suffix == ".py":
            docstring = ast.get_docstring(ast.parse(file.read_text()))
            title, _, rest = docstring.partition("\n\n")
            text = " ".join(rest.split("\n\n")[0].split())
            text = text.removeprefix("What you will see: ")
            text = text[0].upper() + re.sub(":$", ".", text[1:])
            shown = file.stem  # With ".py" the longest would be broken.
        elif file.suffix == ".md" and file.stem != "index":
            heading, text = file.read_text().split("\n\n")[:2]
            title, text = heading.removeprefix("# "), " ".join(text.split())
            shown = title
        else:
            continue
        names.append(f"{shown} <{file.stem}>")
        pictures = pictures_of(file.stem)
        card = [f"### [{title.rstrip('.')}]({file.name})", ""]
        if pictures:
            # The film, where there is one, says more than a curve.
            path = min(pictures, key=lambda p: not p[1].endswith(".gif"))[1]
            card += [f"![{title}](../{path})", ""]
        cards.append("\n".join([":::{container} card", *card, text, ":::"]))
    return "\n\n".join(
        [
            "# Recipes",
            "Each recipe is one file that reads from top to bottom. What the "
            "pictures show came from the commands on the results pages.",
            ":::::{container} gallery",
            *cards,
            ":::::",
            "```{toctree}\n:hidden:\n\n" + "\n".join(names) + "\n```\n",
        ]
    )


def _order(file: pathlib.Path) -> tuple:
    # Games first, those with results before those without, guides last.
    first = ["space_invaders", "cartpole_dqn"]
    place = first.index(file.stem) if file.stem in first else len(first)
    return file.suffix != ".py", place, not pictures_of(file.stem), file.stem


def _results(name: str) -> list[str]:
    lines = [f"![{text}](../{path})" for text, path in pictures_of(name)[:2]]
    page = RESULTS_OF.get(name, (name, ""))[0]
    if (DOCS / "results" / f"{page}.md").exists():
        lines += ["", f"All numbers: [results](../results/{page}.md)."]
    return [*lines, ""]


def _code(lines: list[str]) -> list[str]:
    text = "\n".join(lines).strip("\n")
    return ["```python", text, "```", ""] if text else []


class RecipeParser(MystParser):
    """Parses a recipe by way of Markdown."""

    supported = ("recipe",)

    def parse(self, inputstring: str, document) -> None:
        """Fill a document from the text of a recipe."""
        name = pathlib.Path(document["source"]).stem
        super().parse(to_markdown(name, inputstring), document)


def setup(app):
    """Make Sphinx read recipes and put the cards into the gallery."""
    app.add_source_suffix(".py", "recipe")
    app.add_source_parser(RecipeParser)

    def fill(app, docname, source):
        if docname == "recipes/index":
            source[0] = gallery()

    app.connect("source-read", fill)
    # The gallery changes with every recipe.
    app.connect(
        "env-get-outdated", lambda app, env, *changes: ["recipes/index"]
    )
    return {"parallel_read_safe": True}
