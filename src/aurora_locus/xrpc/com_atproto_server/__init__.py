"""``com.atproto.server.*``: accounts and sessions. Each file is one method; ``run`` takes the registry and the call."""
