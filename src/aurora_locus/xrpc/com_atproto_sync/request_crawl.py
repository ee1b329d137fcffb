"""Request a crawl of this server from its relays. For the operator. This server is not a relay, so it crawls no other
host.
"""

from aurora_locus.moderation import audit_log
from aurora_locus.moderation.roles import OperatorAction
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.com_atproto_admin.operator import audit_of
from aurora_locus.xrpc.method import XrpcCall, procedure
from groundwork.errors import Forbidden, Refused


async def request_crawl(call: XrpcCall) -> None:
    """Ask the relays to crawl this server.

    Raises Refused for the name of another host, Forbidden if this server is not announced, TooMany within twenty
    minutes of the last request.
    """
    host = call.host
    if call.body["hostname"].lower() != host.crawl_requests.hostname:
        raise Refused(f"This server is a PDS and crawls nobody. It can announce {host.crawl_requests.hostname} only.")
    if not host.settings.announces_when_asked:
        raise Forbidden("This server isn’t announced (PDS_FEDERATION_CRAWL_ENABLED is off).")
    audit = audit_of(call)
    # Written to the audit log first: relays may take their time, and no transaction may wait for them.
    await host.db.write(
        lambda w: audit_log.append(w, audit, OperatorAction.REQUEST_CRAWL, host.crawl_requests.hostname)
    )
    await host.crawl_requests.ask_now()


METHOD = procedure("com.atproto.sync.requestCrawl", request_crawl, AccessLevel.ADMIN)
