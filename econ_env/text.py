"""Text as every part of the package can store and send it."""

from __future__ import annotations


def encodable(text: str) -> str:
    """``text`` without lone surrogates, which JSON can spell but UTF-8 cannot."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
