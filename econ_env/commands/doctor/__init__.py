"""``econ-env doctor``: measures a model's reaction to the requests of the game."""

from econ_env.commands.doctor.command import Doctor

__all__ = ["Doctor"]
