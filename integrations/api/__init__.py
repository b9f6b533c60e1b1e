"""Stigg's REST API, as far as it is built: its published SDKs work here with nothing changed but their base URL."""
