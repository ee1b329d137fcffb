"""Method table of ``app.bsky.actor.*``."""

from aurora_locus.xrpc.app_bsky_actor import get_preferences, put_preferences
from aurora_locus.xrpc.method import Method

METHODS: tuple[Method, ...] = (get_preferences.METHOD, put_preferences.METHOD)
