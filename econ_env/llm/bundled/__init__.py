"""Three small language models and their coordinator, as data: ``llm="bundled"``.

The makers are in ``tools/bundled_models`` of the repository, the measurements in ``MODEL_CARD.md``.
"""
