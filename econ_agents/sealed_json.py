"""JSON that carries the checksum of its own bytes, so that no change of it goes unnoticed."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

_ZEROS = "0" * 64
_HEAD = re.compile(rb'\{\n "sha256": "([0-9a-f]{64})",\n')


def sha256(data: bytes) -> str:
    """The checksum of ``data``, as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def seal(document: Mapping[str, Any]) -> bytes:
    """``document`` (not empty, finite numbers) as JSON that begins with its checksum.

    The checksum is that of all bytes, with itself read as zeros.
    """
    text = json.dumps({"sha256": _ZEROS, **document}, indent=1, allow_nan=False)
    return text.replace(_ZEROS, sha256(text.encode()), 1).encode()


def unseal(data: bytes) -> dict[str, Any]:
    """The document that :func:`seal` made ``data`` of.

    Raises:
        ValueError: ``data`` is not what :func:`seal` returned.
    """
    match = _HEAD.match(data)
    if match is None:
        raise ValueError("it does not begin with a checksum")
    unsigned = data.replace(match.group(1), _ZEROS.encode(), 1)
    if sha256(unsigned).encode() != match.group(1):
        raise ValueError("its checksum is not as saved")
    try:
        document: dict[str, Any] = json.loads(data)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    del document["sha256"]
    return document
