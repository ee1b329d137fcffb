"""AT Protocol network code: resolvers, XRPC and OAuth clients, and event streams.

``at_protocol`` parses the bytes. This package sends and receives them through ``groundwork.http.client``, which
enforces the rules against hostile addresses. Failures are the types in ``groundwork.errors``, with the protocol's error
name if the server sent one.
"""
