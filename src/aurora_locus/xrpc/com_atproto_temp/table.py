"""Method table of ``com.atproto.temp.*``."""

from aurora_locus.xrpc.authentication import Need
from aurora_locus.xrpc.com_atproto_temp import check_signup_queue
from aurora_locus.xrpc.method import Method, query

METHODS: tuple[Method, ...] = (query("com.atproto.temp.checkSignupQueue", check_signup_queue.run, Need.ACCESS),)
