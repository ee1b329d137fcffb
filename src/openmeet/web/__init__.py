"""The HTTP layer: pages, the JSON API and XRPC queries, one package per feature."""
