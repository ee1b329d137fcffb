"""Method table of ``com.atproto.label.*``."""

from aurora_locus.xrpc.com_atproto_label import query_labels, subscribe_labels
from aurora_locus.xrpc.method import Method

METHODS: tuple[Method, ...] = (query_labels.METHOD,)

STREAMS = {subscribe_labels.NSID: subscribe_labels.subscribe_labels}
