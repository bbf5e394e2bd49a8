"""The lists of what a save consists of: JSON under a seal."""

import hashlib
import json
from typing import Any

FORMAT = "keras_rlkit.save"
VERSION = 2


def sealed(content: dict[str, Any]) -> bytes:
    """Return a manifest: a line with format, version and hash, then JSON.

    Args:
        content: What JSON can hold.
    """
    text = f"{VERSION} {json.dumps(content)}".encode()
    seal = hashlib.sha256(text).hexdigest()
    return f"{FORMAT} {seal} ".encode() + text


def unsealed(manifest: bytes) -> tuple[int, Any]:
    """Return version and content of a manifest.

    Args:
        manifest: What `sealed` returned.

    Returns:
        A tuple `(version, content)`; the content of another version is `None`.

    Raises:
        ValueError: If it is damaged, or something else.
    """
    known, seal, text = (*manifest.split(b" ", 2), b"", b"")[:3]
    if known != FORMAT.encode():
        raise ValueError(f"its manifest doesn't begin with {FORMAT!r}")
    if hashlib.sha256(text).hexdigest().encode() != seal:
        raise ValueError("its manifest is damaged")
    version, content = text.split(b" ", 1)
    # What another version writes need not be JSON.
    same = int(version) == VERSION
    return int(version), json.loads(content) if same else None
