"""Camera agents made of software, on real footage: for the demo, for tests, for load.

The simulator knows the wire and nothing of the server: what it does is what the agents in the field do.
"""
