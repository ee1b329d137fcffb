"""Federation: crawl requests to relays, their lag for the operator, and proxying to other services.

Relays fetch data from this server; nothing is pushed to them. The package owns no table. The time of the last crawl
requests is kept in a file next to the database, so that a server that keeps restarting does not send them each time.
"""
