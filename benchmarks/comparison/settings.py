"""Settings that the records in a folder depend on, so that only equal ones are mixed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.comparison.chosen_questions import sha256_of
from benchmarks.comparison.tuning import Tuned
from benchmarks.errors import SettingsDiffer
from econ_env import __version__
from econ_env.config import EnvConfig
from econ_env.llm.cache.keys import content_version
from econ_env.llm.registry import bundled_folder
from econ_env.questions.base import Question
from econ_env.record_json import from_plain, to_plain
from econ_files.durable import replace_file

SETTINGS_FILE = "comparison_settings.json"
"""Name of the file, in the folder of a comparison."""

_NOT_OF_ANSWERS = frozenset(
    {
        # Speed of requests, cache and limits.
        *("max_concurrency", "replica_routing", "request_timeout_s", "cache", "cache_path"),
        *("max_requests", "max_total_tokens", "max_cost_usd"),
        # What transcripts hold.
        "keep_messages",
        # Selection of questions: their texts are compared instead, whatever file they are from.
        *("split", "data_path", "subset", "revision", "streaming", "order", "loop"),
        *("question_field_name", "answer_field_name", "max_question_length", "max_answer_length"),
        "skip_bad_rows",
        # Settings that belong to the method.
        *("bne_rounds", "group_size", "commitment_rule"),
    }
)
"""Fields of :class:`EnvConfig` that may change while a comparison goes on."""


def what_answers_depend_on(config: EnvConfig, questions: Sequence[Question]) -> dict[str, Any]:
    """Return all settings that decide the records of a method and a seed, except a checkpoint."""
    settings = {
        name: value for name, value in config.to_json().items() if name not in _NOT_OF_ANSWERS
    }
    return {
        **settings,
        "prompts": config.prompt_set().name,
        "embedder": _name(config.resolved_embedder()),
        "questions": len(questions),
        "questions_sha256": sha256_of(questions),
        "version": __version__,
        "weights": bundled_weights(config.team().names),
    }


def bundled_weights(names: Iterable[str]) -> dict[str, str]:
    """Return the version of the weights of each bundled model among ``names``."""
    bundled = sorted({name for name in names if name.startswith("bundled:")})
    return {name: content_version(bundled_folder(name)) for name in bundled}


class SettingsFile:
    """Settings that a folder of records was made with; seeds and methods may be added.

    Args:
        folder: folder of the comparison; made if it does not exist.
        depends_on: result of :func:`what_answers_depend_on`.
        checkpoints: checksum of the trained team by seed; empty if no method plays one.

    Raises:
        SettingsDiffer: the folder was made with other settings; the message names them.
    """

    def __init__(
        self, folder: Path, depends_on: Mapping[str, Any], checkpoints: Mapping[int, str]
    ) -> None:
        self._path = folder / SETTINGS_FILE
        new = {
            "depends_on": dict(depends_on),
            "checkpoints": {str(seed): checksum for seed, checksum in checkpoints.items()},
        }
        folder.mkdir(parents=True, exist_ok=True)
        held = self._read()
        if held is not None:
            differing = [
                *_differences(held["depends_on"], new["depends_on"]),
                *(
                    f"the checkpoint of seed {seed} has changed"
                    for seed, checksum in new["checkpoints"].items()
                    if held["checkpoints"].get(seed, checksum) != checksum
                ),
            ]
            if differing:
                raise SettingsDiffer(
                    f"{folder} holds a comparison with other settings ({'; '.join(differing)}): "
                    "choose another --log-dir, or use its settings to continue it"
                )
        self._content = {
            "depends_on": new["depends_on"],
            "checkpoints": {**(held["checkpoints"] if held else {}), **new["checkpoints"]},
            "matched": held["matched"] if held else {},
            "tuned": held["tuned"] if held else [],
        }
        choices = [from_plain(Tuned, each, "tuned") for each in self._content["tuned"]]
        self._tuned = {choice.method: choice for choice in choices}
        self._write()

    def matched(self, spec: str, target: str) -> str | None:
        """Return the spec chosen for ``spec`` to cost as much as ``target``; None if not chosen."""
        chosen: str | None = self._content["matched"].get(target, {}).get(spec)
        return chosen

    def keep_matched(self, spec: str, target: str, chosen: str) -> None:
        """Store a choice, so that more seeds do not change it."""
        self._content["matched"].setdefault(target, {})[spec] = chosen
        self._write()

    def tuned(self, spec: str) -> Tuned | None:
        """Return the choice of the tuning for ``spec``; None if not chosen."""
        return self._tuned.get(spec)

    def keep_tuned(self, tuned: Tuned) -> None:
        """Store a choice with everything that was tried, so that more seeds do not change it."""
        self._tuned[tuned.method] = tuned
        self._content["tuned"] = [to_plain(each) for each in self._tuned.values()]
        self._write()

    def _read(self) -> dict[str, Any] | None:
        if not self._path.is_file():
            return None
        try:
            content: dict[str, Any] = json.loads(self._path.read_bytes())
            for part in ("depends_on", "checkpoints", "matched"):
                dict(content[part])
            for choice in content["tuned"]:
                from_plain(Tuned, choice, "tuned")
        except (ValueError, KeyError, TypeError) as error:
            raise SettingsDiffer(
                f"{self._path} cannot be read as the settings of a comparison: choose another "
                "--log-dir, or put the file back"
            ) from error
        return content

    def _write(self) -> None:
        replace_file(self._path, (json.dumps(self._content, indent=1) + "\n").encode())


def _differences(held: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Describe the differences, in the order of the new settings, with both values."""
    return [
        f"{name}: {_short(held.get(name))} there, {_short(new.get(name))} now"
        for name in dict.fromkeys([*new, *held])
        if held.get(name) != new.get(name)
    ]


def _name(value: Any) -> str:
    return value if isinstance(value, str) else str(value.name)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
