"""Method table of ``com.atproto.sync.*``, with the rate limits per address for fetching whole repositories and for listing
the host.
"""

from dataclasses import replace

from aurora_locus.accounts.registry import Registry
from aurora_locus.xrpc.com_atproto_sync import (
    get_blob,
    get_blocks,
    get_checkout,
    get_head,
    get_host_status,
    get_latest_commit,
    get_record,
    get_repo,
    get_repo_status,
    list_blobs,
    list_hosts,
    list_repos,
    list_repos_by_collection,
    request_crawl,
    subscribe_repos,
)
from aurora_locus.xrpc.limits import per_address, with_limits
from aurora_locus.xrpc.method import Method
from groundwork.rate_limit.contract import Limit

# To backfill, a relay lists all accounts and fetches each. The reference server allows this rate.
_LIMITS = {
    "com.atproto.sync.getRepo": Limit("get_repo", 6000, 5 * 60),
    "com.atproto.sync.getCheckout": Limit("get_repo", 6000, 5 * 60),
    "com.atproto.sync.listRepos": Limit("list_repos", 3000, 5 * 60),
    "com.atproto.sync.listReposByCollection": Limit("list_repos", 3000, 5 * 60),
}
METHODS = (
    get_blob.METHOD,
    get_blocks.METHOD,
    get_checkout.METHOD,
    get_head.METHOD,
    get_host_status.METHOD,
    get_latest_commit.METHOD,
    get_record.METHOD,
    get_repo.METHOD,
    get_repo_status.METHOD,
    list_blobs.METHOD,
    list_hosts.METHOD,
    list_repos.METHOD,
    list_repos_by_collection.METHOD,
    request_crawl.METHOD,
)

STREAMS = {subscribe_repos.NSID: subscribe_repos.subscribe_repos}


def for_crawlers(registry: Registry, method: Method) -> Method:
    """Wrap a method so that its calls count against the limits of crawlers."""
    limit = _LIMITS.get(method.nsid)
    return method if limit is None else replace(method, run=with_limits(registry, per_address(limit), method.run))


def methods(registry: Registry) -> list[Method]:
    """The methods of ``com.atproto.sync``, with their limits."""
    return [for_crawlers(registry, method) for method in METHODS]
