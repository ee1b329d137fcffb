"""Everything that knows HTTP: pages, the JSON API and XRPC queries, one package per feature."""
