"""Reads a Stigg environment through Stigg's own SDK: whole, by import, and entity by entity, when a webhook says so."""
