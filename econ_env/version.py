"""The version of this package, for its users and for the build."""

__version__ = "0.1.0"
