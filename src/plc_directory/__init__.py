"""A small did:plc directory for development networks: a real one, that checks every operation and keeps every log.

It is what makes ``openmeet up`` whole without the public directory. Rules of acceptance are those of
``at_protocol.identity.plc_log``; this package stores what was accepted and answers the directory's HTTP API.
"""
