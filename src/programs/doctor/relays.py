"""What relays report about the host: whether they crawl it, and their cursor."""

from collections.abc import AsyncIterator

from at_network.xrpc_client import XrpcClient
from groundwork.errors import Failure, NotFound
from programs.doctor.finding import CheckFinding, failed, good, note, skipped
from programs.doctor.target import CheckedHost


async def read_by(host: CheckedHost, relay: str) -> AsyncIterator[CheckFinding]:
    """Ask a relay for the status of this host (``com.atproto.sync.getHostStatus``)."""
    about = "relay"
    name = relay.partition("://")[2] or relay
    if host.is_own_machine:
        yield skipped(about, "a server on this machine cannot be read by relays")
        return
    try:
        status = await XrpcClient(host.http, host.clock, relay).query(
            "com.atproto.sync.getHostStatus", {"hostname": host.host}
        )
    except NotFound:
        yield _unknown_finding(about, name, host)
        return
    except Failure as failure:
        if failure.name == "HostNotFound":
            yield _unknown_finding(about, name, host)
            return
        yield note(about, f"{name} gives no status: {failure.why}")
        return
    status_now = str(status.get("status", "active"))
    summary = f"{name} says {status_now}, read to {status.get('seq', '?')}, accounts: {status.get('accountCount', '?')}"
    if status_now in {"active", "idle"}:
        yield good(about, summary)
    elif status_now == "throttled":
        yield failed(
            about,
            summary,
            "The relay limits how many accounts or events it takes from this host: write to its operators.",
        )
    else:
        yield failed(about, summary, _MEND.format(name=name, host=host.host))


_MEND = (
    "Ask it to read this host: openmeet request-crawl, or curl -X POST https://{name}/xrpc/com.atproto.sync.requestCrawl "
    '-H "content-type: application/json" -d \'{{"hostname": "{host}"}}\''
)


def _unknown_finding(about: str, name: str, host: CheckedHost) -> CheckFinding:
    return failed(about, f"{name} does not know this host.", _MEND.format(name=name, host=host.host))
