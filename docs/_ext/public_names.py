"""The public names of keras_rlkit, and links to their pages.

Inline code that is a public name, such as `DuelingHead` or
`rlk.environments.check`, becomes a link, in pages and docstrings alike.
"""

import importlib

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

import keras_rlkit

PACKAGES = [name for name in keras_rlkit.__all__ if name != "utils"]


def names_of(package: str) -> list[str]:
    """Return the public names of a package, as `layers`."""
    return list(importlib.import_module(f"keras_rlkit.{package}").__all__)


def public_names() -> dict[str, str]:
    """Return the package of every public name, in the order of the site."""
    return {
        f"{package}.{name}": package
        for package in PACKAGES
        for name in names_of(package)
    }


def targets() -> dict[str, str]:
    """Return which object is meant by the ways to write its name."""
    meant = {}
    for name in public_names():
        target = f"keras_rlkit.{name}"
        short = name.split(".")[1]
        for written in (name, f"rlk.{name}", target):
            meant[written] = target
        # A word such as `check` or `entropy` needs its package beside it.
        if not short.islower():
            meant[short] = target
    return meant


class LinkNames(SphinxTransform):
    """Makes links of inline code that is a public name."""

    default_priority = 500
    meant = targets()

    def apply(self) -> None:
        """Replace the nodes of one document."""
        for literal in list(self.document.findall(nodes.literal)):
            written = literal.astext()
            target = self.meant.get(written.split("(")[0])
            if target is None or _inside_link(literal):
                continue
            link = addnodes.pending_xref(
                "",
                refdomain="py",
                reftype="obj",
                reftarget=target,
                refexplicit=True,
                refdoc=self.env.docname,
            )
            link += nodes.literal(written, written, classes=["py-obj"])
            literal.replace_self(link)


def _inside_link(node: nodes.Node) -> bool:
    while node := node.parent:
        if isinstance(
            node, (nodes.reference, nodes.title, addnodes.pending_xref)
        ):
            return True
    return False


def setup(app):
    """Add the transform to Sphinx."""
    app.add_transform(LinkNames)
    return {"parallel_read_safe": True}
