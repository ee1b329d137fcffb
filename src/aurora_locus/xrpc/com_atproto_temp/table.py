"""Method table of ``com.atproto.temp.*``."""

from aurora_locus.xrpc.com_atproto_temp import check_signup_queue
from aurora_locus.xrpc.method import Method

METHODS: tuple[Method, ...] = (check_signup_queue.METHOD,)
