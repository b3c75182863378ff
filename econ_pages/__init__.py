"""Pages about games and runs: one HTML file each, complete in itself, from plain data.

This package knows neither ``econ_env`` nor ``econ_agents``, and both may use it. They share no code
with each other through it, only a format: the JSON of a transcript (``Transcript.to_json``), which
a learner finds in its traces without knowing the environment that wrote it.

Everything shown is untrusted: what models wrote, data sets, files. It reaches the page as data,
and is shown as text (:mod:`econ_pages.page`).
"""
