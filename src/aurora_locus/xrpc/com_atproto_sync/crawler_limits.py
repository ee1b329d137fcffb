"""Rate limits per address for fetching whole repositories and for listing the host."""

from dataclasses import replace

from aurora_locus.accounts.registry import Registry
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


def for_crawlers(registry: Registry, method: Method) -> Method:
    """Wrap a method so that its calls count against the limits of crawlers."""
    limit = _LIMITS.get(method.nsid)
    return method if limit is None else replace(method, run=with_limits(registry, per_address(limit), method.run))
