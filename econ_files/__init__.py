"""Files that survive a crash, files for their owner alone, and files of others, read within bounds.

``econ_env``, ``econ_agents`` and ``benchmarks`` use this package; it knows none of them.
"""
