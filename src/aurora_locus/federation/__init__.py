"""Federation: crawl requests to relays, their lag for the operator, and proxying to other services.

Relays pull; nothing is pushed. The package owns no table; the time of the last crawl requests is kept in a file beside the
database, so that a server which restarts again and again does not ask again and again.
"""
