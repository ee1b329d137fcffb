"""The host among others: relays are asked to read it, and the operator sees who reads how far.

Relays pull: nothing is pushed. The room writes no table; when relays were asked is kept in a file beside the database, so
that a server which starts again and again does not ask again and again.
"""
