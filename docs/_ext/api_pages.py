"""Writes `docs/api/`: a page for each public name, an index for each package.

They are made anew for every build, from `__all__` and the docstrings, so that
there is never one too few or too many.
"""

import importlib
import inspect
import pathlib

from public_names import PACKAGES, names_of


def pages() -> dict[str, str]:
    """Return the text of every page by its name."""
    written = {"index": _index()}
    for package in PACKAGES:
        written[package] = _package(package)
        for name in names_of(package):
            written[f"{package}.{name}"] = _page(package, name)
    return written


def write(folder: pathlib.Path) -> None:
    """Write all pages, leave equal ones alone, and remove others."""
    folder.mkdir(exist_ok=True)
    texts = {f"{name}.md": text for name, text in pages().items()}
    for file in folder.iterdir():
        if file.name not in texts:
            file.unlink()
    for name, text in texts.items():
        file = folder / name
        if not file.exists() or file.read_text() != text:
            file.write_text(text)


def summary(thing: object) -> str:
    """Return the first paragraph of a docstring in one line."""
    return inspect.getdoc(thing).split("\n\n")[0].replace("\n", " ")


def _index() -> str:
    rows = "\n".join(
        f"| [`rlk.{package}`]({package}.md) | {summary(_module(package))} |"
        for package in PACKAGES
    )
    toctree = "\n".join(PACKAGES)
    return (
        "# API reference\n\n"
        "Every public name, from its docstring. `rlk` is `import keras_rlkit "
        "as rlk`.\nEvery example on these pages runs as a test.\n\n"
        f"| package | what is in it |\n|---|---|\n{rows}\n\n"
        f"```{{toctree}}\n:hidden:\n\n{toctree}\n```\n"
    )


def _package(package: str) -> str:
    module = _module(package)
    rows = "\n".join(
        f"| [`{name}`]({package}.{name}.md) "
        f"| {summary(getattr(module, name))} |"
        for name in names_of(package)
    )
    toctree = "\n".join(
        f"{name} <{package}.{name}>" for name in names_of(package)
    )
    return (
        f"# {package}\n\n{summary(module)}\n\n"
        f"| name | what it is |\n|---|---|\n{rows}\n\n"
        f"```{{toctree}}\n:hidden:\n\n{toctree}\n```\n"
    )


def _page(package: str, name: str) -> str:
    thing = getattr(_module(package), name)
    directive = "autoclass" if inspect.isclass(thing) else "autofunction"
    # The fields of a named tuple stand in its docstring.
    fields = "   :no-members:\n" if hasattr(thing, "_fields") else ""
    ours = [base.__module__.startswith("keras_rlkit") for base in _bases(thing)]
    if len(ours) > 1 and all(ours):
        fields += "   :inherited-members:\n"
    return (
        f"# {name}\n\n```{{eval-rst}}\n"
        f".. {directive}:: keras_rlkit.{package}.{name}\n{fields}```\n"
    )


def _bases(thing) -> list[type]:
    return (
        [base for base in inspect.getmro(thing) if base is not object]
        if (inspect.isclass(thing))
        else []
    )


def _module(package: str):
    return importlib.import_module(f"keras_rlkit.{package}")


def setup(app):
    """Write the pages before Sphinx looks for pages."""
    app.connect(
        "builder-inited",
        lambda app: write(pathlib.Path(app.srcdir) / "api"),
    )
    return {"parallel_read_safe": True}
