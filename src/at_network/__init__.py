"""The AT Protocol with sockets: resolvers, XRPC and OAuth clients, event streams.

What the bytes mean is decided in ``at_protocol``; this package moves them, through ``groundwork.http.client`` and its
rules against hostile addresses. Failures are those of ``groundwork.errors``, with the protocol's own error name where the
other side gave one.
"""
