"""Programs on a console: how they end, what they may print, and how they say what is waited for.

The programs of ``econ_env``, ``econ_agents`` and ``benchmarks`` use this package; it knows none of
them.
"""
