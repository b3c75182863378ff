"""Learning agents that bring a team to equilibrium, on any PettingZoo parallel environment.

The package does not depend on any environment: it is given one by name
(``"package.module:callable"``) and reads only its spaces, observations, rewards and the numbers in
its infos. Importing the package loads no heavy library; they load with the modules that use them.
"""

from importlib.metadata import version

from econ_agents.errors import EconAgentsError

# Both packages are one distribution; its version is declared in econ_env, which is not imported.
__version__ = version("econ-env")

__all__ = ["EconAgentsError", "__version__"]
