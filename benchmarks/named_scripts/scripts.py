"""The named scripts, each with its preset of econ_agents."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class NamedScript:
    """A pair of scripts: one trains and tests, the other tests a saved checkpoint."""

    name: str
    """Part of its files' names, as in ``run_p0_test.py`` and ``logs_p0_test_p0.json``."""
    preset: str
    """Preset that it plays without ``--config``; its data set is the script's own."""

    @property
    def training_script(self) -> str:
        """Path of the script that trains and tests, from the root of the repository."""
        return f"benchmarks/run_{self.name}_test.py"

    @property
    def evaluation_script(self) -> str:
        """Path of the script that evaluates a saved checkpoint."""
        return f"benchmarks/test_{self.name}.py"


P0 = NamedScript(name="p0", preset="p0")
MATH = NamedScript(name="math", preset="math")
SVAMP = NamedScript(name="svamp", preset="svamp")
GSM8K = NamedScript(name="gsm8k", preset="p0")
"""The data set of P0 under its own name."""
