"""The game in the interfaces of other people's tools, each imported only where it is used."""
