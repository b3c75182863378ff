"""The networks of section 3 of the paper: beliefs, their encoder, the mixer, and refinement."""

from econ_agents.networks.belief import BeliefNetworks
from econ_agents.networks.encoder import BeliefEncoder
from econ_agents.networks.mixer import Mixed, Mixer
from econ_agents.networks.refine import RefineModule
from econ_agents.networks.team import TeamNetworks, TeamShapes, make_networks

__all__ = [
    "BeliefEncoder",
    "BeliefNetworks",
    "Mixed",
    "Mixer",
    "RefineModule",
    "TeamNetworks",
    "TeamShapes",
    "make_networks",
]
