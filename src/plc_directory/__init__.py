"""A small did:plc directory for development networks."""
