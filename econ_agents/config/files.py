"""Reading and writing a configuration: presets, YAML files and ``KEY=VALUE`` assignments."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from econ_agents.config.base import ConfigError, Settings
from econ_agents.config.schema import Config
from econ_agents.config.values import MismatchError, convert, show
from econ_agents.config.yaml12 import NotationError, read_yaml, write_yaml
from econ_files.bounded import Unreadable, read_regular
from econ_files.durable import replace_file

_AnySettings = TypeVar("_AnySettings", bound=Settings)

CONFIG_FILE = "config.yaml"
"""Name of the file in a run's folder that holds every key."""
MAX_CONFIG_BYTES = 2**20
"""Largest size of a file of settings."""
PRESETS = Path(__file__).parent / "presets"
"""Folder of the presets of this package."""
_WHERE_KEYS_ARE = (
    " Keys of model servers never stand in a configuration: they come from environment "
    "variables such as TOGETHER_API_KEY"
)


def preset_names() -> list[str]:
    """Names of the presets, sorted."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def find_config(name: str | Path) -> Path:
    """Find the file of ``--config NAME``.

    A bare name (``p0``) is a preset; anything with a folder or a suffix is a file. ``p0.yaml`` is
    the file of that name if there is one, else the preset.

    Raises:
        ConfigError: there is no such preset or file.
    """
    text, path = str(name), Path(name).expanduser()
    bare = text == path.stem
    if not bare and path.is_file():
        return path
    if text.removesuffix(".yaml") in preset_names():
        return PRESETS / f"{path.stem}.yaml"
    what = f"there is no preset {text!r}" if bare else f"there is no file {text!r}"
    near = difflib.get_close_matches(text.lower().removesuffix(".yaml"), preset_names(), n=1)
    if near and "/" not in text:
        raise ConfigError(f"--config: {what}; did you mean {near[0]!r}?")
    raise ConfigError(
        f"--config: {what}; presets are {', '.join(preset_names())}, "
        "and a file is named with its suffix, as in my.yaml"
    )


def read_config(
    source: str | Path | None,
    assignments: Sequence[str] = (),
    *,
    values: Mapping[str, Any] | None = None,
    base: Config | None = None,
) -> Config:
    """Read the configuration of a preset or file, with values and assignments on top.

    Args:
        source: a name as in :func:`find_config`; None reads no file.
        assignments: ``KEY=VALUE`` with the full key and a value in YAML, as in
            ``train.episodes=200`` or ``env.kwargs.data_path=rows.jsonl``. Later ones win.
        values: plain data by the full key, as in ``{"train.episodes": 200}``. They win over the
            file, and assignments win over them.
        base: values of all other keys. None: the defaults.

    Raises:
        ConfigError: a file cannot be read, a key is unknown, or a value has the wrong type or is
            out of range. The message names the file or the assignment, the key, and for an
            unknown key the nearest one.
    """
    merged = config_values(config_mapping(base), origin="base") if base is not None else {}
    origins: list[str] = []
    if source is not None:
        path = find_config(source)
        origins.append(str(path))
        merged = _merge(merged, config_values(_read_mapping(path), origin=str(path)))
    for key, value in (values or {}).items():
        merged = _merge(merged, config_values(_nested(key, value)))
    for assignment in assignments:
        key, value = _read_assignment(assignment)
        origins.append(f"--set {key}")
        merged = _merge(merged, config_values(_nested(key, value), origin="--set"))
    try:
        return make_config(merged)
    except ConfigError as error:
        raise ConfigError(f"{_from(', '.join(origins))}{error}") from error


def config_values(values: Mapping[Any, Any], *, origin: str = "") -> dict[str, Any]:
    """Check a part of a configuration key by key: names, types and ranges.

    Args:
        values: sections as nested mappings. Missing keys stay missing.
        origin: source of the values, which messages name; empty to name only the keys.

    Raises:
        ConfigError: see :func:`read_config`.
    """
    return _check_section(Config, values, origin)


def make_config(values: Mapping[str, Any]) -> Config:
    """Make a configuration of checked values; all other keys have their defaults.

    Raises:
        ConfigError: two values do not fit together.
    """
    return _make(Config, values)


def config_mapping(config: Settings) -> dict[str, Any]:
    """Every key of a configuration as plain data, in the form that :func:`config_values` takes."""
    return {field.name: _plain(getattr(config, field.name)) for field in fields(config)}


def flat_keys(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested values to full keys such as ``train.episodes``; empty mappings vanish.

    Args:
        values: nested mappings, such as those of :func:`config_mapping`.
        prefix: text before every key.
    """
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat.update(flat_keys(value, f"{prefix}{name}."))
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def write_config(config: Config, path: Path) -> None:
    """Write every key of ``config`` as YAML; :func:`read_config` reads an equal configuration.

    Raises:
        ConfigError: an argument of the environment is not plain data.
    """
    try:
        text = write_yaml(config_mapping(config))
    except NotationError as error:
        raise ConfigError(f"{path}: env.* cannot be written: {error}") from error
    replace_file(path, f"# Every setting of this run.\n{text}".encode())


def config_keys() -> list[str]:
    """Every full key, such as ``train.episodes``, in the order of declaration."""
    return list(_keys(Config))


def nearest_keys(key: str, keys: Sequence[str]) -> list[str]:
    """The keys in ``keys`` that are most similar to ``key``, usually one.

    A key without a section is compared with last parts only; ``episodes`` matches several.
    """

    def likeness(candidate: str) -> tuple[float, float]:
        tails = key.rpartition(".")[2], candidate.rpartition(".")[2]
        tail = difflib.SequenceMatcher(None, *tails).ratio()
        whole = difflib.SequenceMatcher(None, key, candidate).ratio()
        return (max(whole, 0.95 * tail), whole) if "." in key else (tail, 0.0)

    scores = {candidate: likeness(candidate) for candidate in keys}
    best = max(scores.values())
    return [candidate for candidate, score in scores.items() if score == best]


def did_you_mean(key: str, keys: Sequence[str], *, prefix: str = "") -> str:
    """End of a message about an unknown key: the nearest of the known ones."""
    nearest = " or ".join(f"'{prefix}{name}'" for name in nearest_keys(key, keys))
    hint = _WHERE_KEYS_ARE if "api" in key.lower() and "key" in key.lower() else ""
    return f"did you mean {nearest}?{hint}"


def _read_mapping(path: Path) -> Mapping[Any, Any]:
    try:
        values = read_yaml(read_regular(path, MAX_CONFIG_BYTES, follow_links=True).decode())
    except Unreadable as error:
        raise ConfigError(f"{path} {error}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not a text file in UTF-8") from error
    except NotationError as error:
        raise ConfigError(f"{path}: {error}") from error
    if values is not None and not isinstance(values, Mapping):
        raise ConfigError(f"{path}: must hold keys and values, as in 'seed: 0'")
    return values or {}


def _read_assignment(assignment: str) -> tuple[str, Any]:
    """Split ``KEY=VALUE`` into the key and the value."""
    key, equals, text = assignment.partition("=")
    if not equals or not key:
        # The message does not repeat the text: it may be a secret, pasted to the wrong place.
        raise ConfigError("--set needs KEY=VALUE, as in train.episodes=200")
    try:
        return key, read_yaml(text)
    except NotationError as error:
        raise ConfigError(f"--set {key}: {error}") from error


def _nested(key: str, value: Any) -> dict[str, Any]:
    """Wrap the value in one mapping for each part of the key."""
    first, _, rest = key.partition(".")
    return {first: _nested(rest, value) if rest else value}


def _from(origin: str) -> str:
    """Beginning of a message that names the source of a value; empty without a source."""
    return f"{origin}: " if origin else ""


def _check_section(cls: type[Settings], values: Mapping[Any, Any], origin: str) -> dict[str, Any]:
    hints = _hints(cls)
    checked: dict[str, Any] = {}
    for name, value in values.items():
        key = cls.key(str(name))
        if name not in hints:
            keys = config_keys()
            sections = dict.fromkeys(known.rpartition(".")[0] for known in keys if "." in known)
            hint = did_you_mean(key, [*keys, *sections])
            raise ConfigError(f"{_from(origin)}unknown key {key!r}; {hint}")
        section = _section(hints[name])
        if section is None:
            try:
                checked[name] = convert(value, hints[name])
            except MismatchError as error:
                raise ConfigError(f"{_from(origin)}{key} {error}") from error
        elif value is None or isinstance(value, Mapping):  # a section without keys is read as null
            checked[name] = _check_section(section, value or {}, origin)
        else:
            where = f"{_from(origin)}{key}"
            raise ConfigError(f"{where} must be a section of keys, got {show(value)}")
    return checked


def _make(cls: type[_AnySettings], values: Mapping[str, Any]) -> _AnySettings:
    sections = {name: _section(hint) for name, hint in _hints(cls).items()}
    made = {}
    for name, value in values.items():
        section = sections[name]
        made[name] = value if section is None else _make(section, value)
    return cls(**made)


def _hints(cls: type[Settings]) -> dict[str, Any]:
    """Types of the fields of a section, by name."""
    hints = get_type_hints(cls, include_extras=True)
    return {field.name: hints[field.name] for field in fields(cls)}


def _section(hint: Any) -> type[Settings] | None:
    return hint if isinstance(hint, type) and issubclass(hint, Settings) else None


def _keys(cls: type[Settings]) -> Iterator[str]:
    for name, hint in _hints(cls).items():
        section = _section(hint)
        if section is None:
            yield cls.key(name)
        else:
            yield from _keys(section)


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge ``above`` into ``below``: mappings are merged, other values are replaced."""
    merged = dict(below)
    for name, value in above.items():
        under = merged.get(name)
        if isinstance(under, Mapping) and isinstance(value, Mapping):
            value = _merge(under, value)
        merged[name] = value
    return merged


def _plain(value: Any) -> Any:
    if isinstance(value, Settings):
        return config_mapping(value)
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
