"""Bridges to tools of other projects; each needs an extra of its own, imported when it is used."""
