"""Observability: logs (structured, redacted), metrics (one registry per program), health (live, ready), probes, traces."""
