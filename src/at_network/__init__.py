"""The AT Protocol over sockets: resolvers, XRPC and OAuth clients, event streams.

``at_protocol`` interprets the bytes; this package moves them, through ``groundwork.http.client`` and its rules against
hostile addresses. Failures are those of ``groundwork.errors``, with the protocol's error name where the other side gave
one.
"""
