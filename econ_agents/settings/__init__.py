"""The sections of the configuration; :class:`econ_agents.config.Config` puts them together."""
