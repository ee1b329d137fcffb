"""Method table of ``com.atproto.lexicon.*``."""

from aurora_locus.xrpc.com_atproto_lexicon import resolve_lexicon
from aurora_locus.xrpc.method import Method

METHODS: tuple[Method, ...] = (resolve_lexicon.METHOD,)
