"""Handlers of the API, one file a noun: parse, call one service, answer."""
