"""Clauses on docstrings."""

import inspect
import re

from keras_rlkit.testing.clauses import require
from keras_rlkit.testing.configuration_checks import own_arguments


def check_docstring(part: type, sections: tuple[str, ...] = ()) -> None:
    """Check that a class tells its arguments and shapes, and has an example.

    Args:
        part: The class.
        sections: Headings that its docstring must have beside `Args:`, such
            as `"Input shape"`.

    Raises:
        AssertionError: If something is missing.
    """
    text = inspect.cleandoc(part.__dict__.get("__doc__") or "")
    require(text, "the class must have a docstring of its own.")
    # An inherited constructor is described where it is.
    arguments = own_arguments(part) if "__init__" in part.__dict__ else []
    sections = (*(["Args"] if arguments else []), *sections)
    for section in sections:
        require(
            re.search(rf"^{section}:$", text, re.MULTILINE),
            f"the docstring must have a section `{section}:`.",
        )
    for argument in arguments:
        require(
            re.search(rf"^    {argument.name}: \S", text, re.MULTILINE),
            f"`Args:` must describe `{argument.name}`.",
        )
    require(
        "```python" in text or ">>> " in text,
        "the docstring must have an example that runs, as "
        "```` ```python ```` or `>>>`.",
    )
