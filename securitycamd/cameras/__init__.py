"""Speaks to the agents: their control API, and the relay of their pictures."""
