"""Three small language models and their coordinator in the box, and all that made them.

``recipe`` says what they are, ``train`` makes them, ``evaluate`` measures them and writes the
tables of ``MODEL_CARD.md``. Using them needs none of that: name ``llm="bundled"``.
"""
