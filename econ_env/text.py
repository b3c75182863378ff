"""Text that every part of the package can store and send."""

from __future__ import annotations


def encodable(text: str) -> str:
    """``text`` with ``?`` for lone surrogates, which JSON can spell but UTF-8 cannot encode."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
