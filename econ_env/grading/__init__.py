"""The parts of :mod:`econ_env.grading.answers`, which is the module to import.

``extraction`` finds the answer in a response, ``plain`` reads and compares plain values exactly,
``limits`` rejects texts that no grader should compute, ``worker`` keeps the process that runs
``judge``, where math-verify compares everything else.
"""
