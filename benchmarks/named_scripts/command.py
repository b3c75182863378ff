"""Entry points of the named scripts, which report errors to the user."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.named_scripts.flags import EvaluationFlags, TrainAndTestFlags, parse
from benchmarks.named_scripts.scripts import NamedScript
from benchmarks.named_scripts.settings import choose
from econ_agents.commands.cli import use_one_thread
from econ_agents.training.checkpoint import FINAL
from econ_agents.training.inspection import find_checkpoint, stored_config
from econ_console.program import run_program

_INTERRUPTED = "interrupted; repeat the command to do the rest"


def train_and_test(script: NamedScript, arguments: Sequence[str]) -> int:
    """Train a team and test it.

    Args:
        script: the script that is called.
        arguments: arguments after the script's name.

    Returns:
        The exit code: 0 after success, 1 after a failure, 2 after a mistake of the user, 130 after
        Ctrl-C.
    """
    return run_program(
        script.training_script, lambda: _run(script, arguments), interrupted=_INTERRUPTED
    )


def evaluate_only(script: NamedScript, arguments: Sequence[str]) -> int:
    """Evaluate a saved checkpoint; return an exit code as :func:`train_and_test` does."""
    return run_program(
        script.evaluation_script, lambda: _evaluate(script, arguments), interrupted=_INTERRUPTED
    )


def _run(script: NamedScript, arguments: Sequence[str]) -> int:
    description = (
        f"Train a team in the setting of the preset {script.preset}, then test it on unseen "
        "questions, without and with refinement to equilibrium. After an interruption, repeat the "
        "command to continue."
    )
    flags = parse(TrainAndTestFlags, script.training_script, description, arguments)
    chosen = choose(script, flags)
    _say(chosen.lines())
    use_one_thread()
    from benchmarks.named_scripts.evaluation import evaluate
    from benchmarks.named_scripts.training import train

    code = train(chosen.config)
    if code == 0:
        evaluate(script, chosen, chosen.config.model_dir / FINAL, chosen.config.log_dir)
    return code


def _evaluate(script: NamedScript, arguments: Sequence[str]) -> int:
    description = (
        "Test a saved team on unseen questions, without and with refinement to equilibrium, and "
        f"store every episode. {script.training_script} trains a team."
    )
    flags = parse(EvaluationFlags, script.evaluation_script, description, arguments)
    from econ_agents.training.checkpoint import CheckpointError

    try:
        checkpoint = find_checkpoint(flags.model_dir)
    except CheckpointError as error:
        # Report a missing key first: without a key no checkpoint can be made either.
        choose(script, flags)
        raise CheckpointError(_how_to_get_one(script, flags)) from error
    chosen = choose(script, flags, trained=stored_config(checkpoint))
    _say(chosen.lines())
    use_one_thread()
    from benchmarks.named_scripts.evaluation import evaluate

    evaluate(script, chosen, checkpoint, flags.log_dir)
    return 0


def _how_to_get_one(script: NamedScript, flags: EvaluationFlags) -> str:
    """Return an error message that says how to get a checkpoint."""
    from econ_agents.training.checkpoint import latest_checkpoint

    folder = flags.model_dir
    begun = latest_checkpoint(folder.parent) if folder.name == FINAL else None
    if begun is not None:
        return (
            f"{folder} does not exist yet, since the training in {folder.parent} has not ended: "
            f"repeat its command to continue, or test its last checkpoint with --model-dir {begun}"
        )
    llm = f" --llm {' '.join(flags.llm)}" if flags.llm else ""
    return (
        f"{folder} holds no checkpoint: train a team first, with "
        f"python {script.training_script}{llm}, or give a checkpoint with --model-dir"
    )


def _say(lines: Sequence[str]) -> None:
    for line in lines:
        print(line, flush=True)
