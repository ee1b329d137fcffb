"""Table of all methods. Each namespace is a folder with a table of its methods, one file per method."""

from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.app_bsky_actor import table as actor
from aurora_locus.xrpc.com_atproto_admin import table as admin
from aurora_locus.xrpc.com_atproto_identity import table as identity
from aurora_locus.xrpc.com_atproto_label import table as label
from aurora_locus.xrpc.com_atproto_lexicon import table as lexicon
from aurora_locus.xrpc.com_atproto_moderation import table as moderation
from aurora_locus.xrpc.com_atproto_repo import table as repo
from aurora_locus.xrpc.com_atproto_server import table as server
from aurora_locus.xrpc.com_atproto_sync import table as sync
from aurora_locus.xrpc.com_atproto_temp import table as temp
from aurora_locus.xrpc.dispatch import MethodTable
from aurora_locus.xrpc.limits import with_limits

_NAMESPACES = (repo, lexicon, sync, server, identity, temp, actor, admin, moderation, label)


def table(registry: Registry) -> MethodTable:
    """Return every XRPC method, each with its own limits, and every stream."""
    methods = [with_limits(registry, method) for namespace in _NAMESPACES for method in namespace.METHODS]
    return MethodTable(methods, {**sync.STREAMS, **label.STREAMS})
