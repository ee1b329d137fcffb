"""Method table of ``com.atproto.sync.*``."""

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
from aurora_locus.xrpc.method import Method

METHODS: tuple[Method, ...] = (
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
