"""A small did:plc directory for development networks. It verifies every operation and keeps every log.

With it, ``openmeet up`` needs no public directory. ``at_protocol.identity.plc_log`` has the acceptance rules; this
package stores accepted operations and serves the directory's HTTP API.
"""
