"""Availability of models of the Hugging Face hub: on this machine, within reach, or neither."""

from __future__ import annotations

import re
import threading

PATIENCE = 3.0
"""Seconds to wait for a sign of life of the hub."""

# The rules of the hub's client, which raises an error of its own for other names.
_PART = r"\b[\w.-]{1,96}\b"
_ID = re.compile(rf"(?!.*(?:--|\.\.|\.git$))(?:{_PART}/)?{_PART}", re.ASCII)


def is_hub_id(name: str) -> bool:
    """True if ``name`` can be the id of a repository, such as ``Qwen/Qwen2.5-0.5B-Instruct``."""
    return _ID.fullmatch(name) is not None


def in_cache(name: str) -> bool:
    """True if a copy of the repository was begun on this machine; it may be incomplete."""
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(name, "config.json"), str)


def within_reach(path: str = "") -> bool:
    """True if the hub answers within :data:`PATIENCE`; False where HF_HUB_OFFLINE is set.

    The hub's own client would retry for minutes. The request runs in a thread of its own, because
    looking up a host name has no time limit. A refusal (no such repository, no access) counts as
    an answer; a failure of the server (status 500 and above) does not.

    Args:
        path: path behind the address of the hub, "" for the hub itself. A single repository may
            hang or fail while the rest of the hub works.
    """
    import requests
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    answered = threading.Event()

    def ask() -> None:
        url = f"{constants.ENDPOINT}/{path}" if path else constants.ENDPOINT
        try:
            response = requests.head(url, timeout=PATIENCE, allow_redirects=False)
        except requests.RequestException:
            return
        if response.status_code < 500:
            answered.set()

    thread = threading.Thread(target=ask, daemon=True, name="econ-env-hub-probe")
    thread.start()
    thread.join(PATIENCE)
    return answered.is_set()
