"""The AT Protocol with sockets: resolvers, XRPC and OAuth clients, event streams."""
