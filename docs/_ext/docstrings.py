"""Turns the Markdown of docstrings into what autodoc and napoleon read."""

import inspect
import re

FENCE = re.compile(r"^(\s*)```(\w*)$")
CODE = re.compile(r"(`[^`]+`)")
LINK = re.compile(r"\[([^\]]+)\]\((https?://[^)]+)\)")
# What Markdown means, or napoleon reads: strong words, *one* word, and the
# names of arguments at the beginning of their lines.
MEANT = re.compile(
    r"(\*\*\w[^*]*\*\*|(?<!\w)\*\w[\w ]*\*|^ +\*{0,2}\w+:)", re.MULTILINE
)


# Headings whose text isn't indented, as Keras writes them.
HEADING = re.compile(r"^(Example|Reference):$")


def to_rst(lines: list[str]) -> list[str]:
    """Return the lines of a docstring in reStructuredText.

    Fenced blocks become directives, `code` literal, and links links; what is
    markup in reStructuredText only is escaped.
    """
    converted, prose, indent = [], [], None
    for line in [*_headings(lines), "```"]:
        fence = FENCE.match(line)
        if fence and indent is None:
            converted += _prose("\n".join(prose)).split("\n")
            prose, indent = [], fence[1]
            language = fence[2] or "text"
            converted += ["", f"{indent}.. code-block:: {language}", ""]
        elif fence:
            indent = None
            converted.append("")
        elif indent is not None:
            converted.append(f"   {line}" if line.strip() else "")
        else:
            prose.append(line)
    return converted[:-3]


def _headings(lines: list[str]) -> list[str]:
    return [
        HEADING.sub(r".. rubric:: \1", line)
        if not following.startswith(" ")
        else line
        for line, following in zip(lines, [*lines[1:], ""], strict=True)
    ]


def _prose(text: str) -> str:
    parts = CODE.split(text)
    for place, part in enumerate(parts):
        if place % 2:
            # Code may go on in the next line, and be followed by a letter.
            glue = "\\ " if parts[place + 1][:1].isalnum() else ""
            parts[place] = f"``{' '.join(part[1:-1].split())}``{glue}"
        else:
            pieces = MEANT.split(part)
            pieces[::2] = map(_escape, pieces[::2])
            parts[place] = LINK.sub(r"`\1 <\2>`__", "".join(pieces))
    return "".join(parts)


def _escape(text: str) -> str:
    return re.sub(r"([*|]|(?<=\w)_(?!\w))", r"\\\1", text)


def signature_of(thing: object) -> str | None:
    """Return a class' arguments as `__init__` has them.

    Keras and gymnasium classes have a `__new__` that takes anything.
    """
    if not inspect.isclass(thing) or issubclass(thing, tuple):
        return None
    signature = inspect.signature(thing.__init__)
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in list(signature.parameters.values())[1:]
    ]
    return str(
        signature.replace(
            parameters=parameters, return_annotation=inspect.Signature.empty
        )
    )


def setup(app):
    """Connect to autodoc, ahead of napoleon."""

    def convert(app, what, name, thing, options, lines):
        lines[:] = to_rst(lines)

    def sign(app, what, name, thing, options, signature, returns):
        if what == "class":
            return signature_of(thing), None
        return None

    app.connect("autodoc-process-docstring", convert, priority=400)
    app.connect("autodoc-process-signature", sign)
    return {"parallel_read_safe": True}
