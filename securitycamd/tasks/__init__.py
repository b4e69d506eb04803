"""Thin supervised loops over the services."""
