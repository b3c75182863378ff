"""``econ-env doctor``: what a model does with what the game sends, by measurement."""

from econ_env.commands.doctor.command import Doctor

__all__ = ["Doctor"]
