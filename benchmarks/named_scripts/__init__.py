"""Common code of ``benchmarks/run_*_test.py`` and ``benchmarks/test_*.py``.

Data flows one way: flags -> settings -> training -> testing. The learner is that of econ_agents;
the scripts add flags, data sets and files.
"""
