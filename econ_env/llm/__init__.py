"""Language models: their names, requests and sharing."""

from econ_env.llm.budget.limits import BudgetExceeded
from econ_env.llm.cache.recording_model import ReplayMiss
from econ_env.llm.registry import Team, close_shared_models, resolve_models, shared_model
from econ_env.llm.types import (
    ChatModel,
    ChatRequest,
    Completion,
    Message,
    ModelError,
    Role,
    Usage,
)

__all__ = [
    "BudgetExceeded",
    "ChatModel",
    "ChatRequest",
    "Completion",
    "Message",
    "ModelError",
    "ReplayMiss",
    "Role",
    "Team",
    "Usage",
    "close_shared_models",
    "resolve_models",
    "shared_model",
]
