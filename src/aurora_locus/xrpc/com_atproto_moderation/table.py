"""Method table of ``com.atproto.moderation.*``."""

from aurora_locus.xrpc.com_atproto_moderation import create_report
from aurora_locus.xrpc.method import Method

METHODS: tuple[Method, ...] = (create_report.METHOD,)
