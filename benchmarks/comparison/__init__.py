"""Methods that answer questions with language models, compared at equal tokens.

``compare.py`` is the command. Data flows one way: specs -> methods -> records -> report.
"""
