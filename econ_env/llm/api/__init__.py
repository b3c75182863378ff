"""Language models on servers that speak the OpenAI chat protocol.

Importing this package loads neither requests nor urllib3: they are loaded when the first request
is sent.
"""

from econ_env.llm.api.client import ApiModel
from econ_env.llm.api.errors import (
    AccountExhausted,
    AlwaysRefuses,
    ApiError,
    KeyProblem,
    ServerBroken,
    UnknownModel,
    UnsupportedSetting,
    WrongAddress,
)
from econ_env.llm.api.profiles import PROFILES, ServerProfile
from econ_env.llm.api.settings import ApiSettings, ReplicaRouting, SecondAction, TokenField

__all__ = [
    "PROFILES",
    "AccountExhausted",
    "AlwaysRefuses",
    "ApiError",
    "ApiModel",
    "ApiSettings",
    "KeyProblem",
    "ReplicaRouting",
    "SecondAction",
    "ServerBroken",
    "ServerProfile",
    "TokenField",
    "UnknownModel",
    "UnsupportedSetting",
    "WrongAddress",
]
