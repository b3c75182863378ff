"""``econ-env doctor``: checks that a model does what the game needs, and advises settings."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Annotated

import tyro
from tqdm import tqdm

from econ_env.commands.doctor.examination import Examination
from econ_env.commands.flags import EnvFlags, only, with_help
from econ_env.errors import UsageError
from econ_env.llm.api.settings import ApiSettings
from econ_env.llm.registry import resolve_models


@with_help
@dataclass(frozen=True, kw_only=True)
class Doctor:
    """Examine a language model before a game depends on it.

    Asks the model some short questions and reports in plain words what works, what does not, and
    what to set. Servers that call themselves OpenAI-compatible ignore many parameters silently, so
    everything is measured: a parameter works if changing it changes the texts.

    The exit code is 0 if the game can be played, 1 if something that it needs does not work, and 2
    if the command itself is wrong, for example because a key is missing.
    """

    llm: Annotated[tuple[str, ...], tyro.conf.arg(metavar="MODEL")]
    """The model, named as for "econ-env play": "together:MODEL", "openai:MODEL",
    "vllm:MODEL@http://host:port/v1", "hf:PATH_OR_ID", "bundled:0" and so on. Several names are
    examined one after another. The key is read from the environment variable of the server's
    kind, TOGETHER_API_KEY for example."""
    allow_key_for: Annotated[tuple[str, ...], tyro.conf.arg(metavar="HOST ...")] = ()
    """Hosts, besides the server's own, that may get the key of a server's kind, OPENAI_API_KEY for
    example: HOST or HOST:PORT. Over https or on this machine only."""
    settings: Annotated[
        EnvFlags,
        only(
            "second_action",
            "max_tokens_strategy",
            "max_tokens_execute",
            "max_tokens_commit",
            "extra_body",
            "extra_headers",
            "query_parameters",
            "omit_fields",
            "token_field",
            "min_temperature",
            "prompts",
            "temperature_min",
            "temperature_max",
            "repetition_penalty_min",
            "repetition_penalty_max",
        ),
    ]

    def run(self) -> int:
        """Examine the models; the exit code is 0, 1 after a PROBLEM, or 130 after Ctrl-C."""
        try:
            self.settings.bounds()
        except ValueError as error:
            raise UsageError(str(error)) from error
        worst = 0
        # A server without the parameter of --second-action is a finding, not a usage error.
        anything = ApiSettings(second_action="none")
        for name in resolve_models(self.llm, len(self.llm), api=anything).executors:
            # No episode is played, so the data set only has to suit the model.
            data = "simulated" if name.startswith("simulated:") else "arithmetic"
            flags = replace(self.settings, llm=name, dataset=data, second_action="none")
            examination = Examination(name, self.settings.second_action, flags.env_config())
            worst = max(worst, self._examine(examination))
        return worst

    def _examine(self, examination: Examination) -> int:
        print(examination.name)
        if examination.requests:
            print(
                f"Asks about {examination.requests} short questions, {examination.tokens:,} "
                "tokens; up to twice as many if a result is unclear."
            )
        problems = 0
        with (
            tqdm(total=examination.requests, unit="request", disable=None, leave=False) as bar,
            closing(examination.run(bar.update)) as findings,
        ):
            try:
                for finding in findings:
                    problems += finding.state == "PROBLEM"
                    bar.write(str(finding))
            except KeyboardInterrupt:
                bar.close()
                print("Interrupted: the rest was not examined.", file=sys.stderr)
                return 130
        if problems:
            print(f"Not ready: {problems} problem{'s' * (problems > 1)} to solve before a game.\n")
            return 1
        print("Ready: everything that the game needs works.\n")
        return 0
