"""What ``benchmarks/run_*_test.py`` and ``benchmarks/test_*.py`` share.

Data flows one way: flags -> settings -> training -> testing. The learner is econ_agents'; here is
what the scripts add to it: their flags, their data sets and their files.
"""
