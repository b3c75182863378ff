"""Unpacking of compressed answers, of which a few bytes may stand for gigabytes."""

from __future__ import annotations

import zlib

from econ_env.errors import EconError

_PACKED = frozenset({"gzip", "x-gzip", "deflate"})
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


class CannotUnpack(EconError, ValueError):
    """A body is damaged, or packed in a way that was not asked for."""


def unpacked(data: bytes, encoding: str | None, largest: int) -> bytes:
    """Return the contents of a body, of which no more than ``largest`` + 1 bytes are unpacked.

    Args:
        data: the body as it came.
        encoding: its ``Content-Encoding``.
        largest: size, in bytes, above which the rest does not matter.

    Raises:
        CannotUnpack: the body is damaged, or packed in another way than gzip or deflate.
    """
    name = (encoding or "identity").strip().lower()
    if name in ("identity", ""):
        return data
    if name not in _PACKED:
        raise CannotUnpack(f"the answer is packed as {name[:40]!r}, which was not asked for")
    try:
        return zlib.decompressobj(wbits=_GZIP_OR_ZLIB).decompress(data, largest + 1)
    except zlib.error as error:
        raise CannotUnpack(f"the answer cannot be unpacked ({error})") from None
