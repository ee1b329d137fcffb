"""Table of all methods. Each method has its own file and a line in this table."""

from aurora_locus.accounts.registry import Registry
from aurora_locus.moderation.labels import Labels
from aurora_locus.xrpc.com_atproto_admin.table import methods as of_the_administration
from aurora_locus.xrpc.com_atproto_identity.table import methods as about_identities
from aurora_locus.xrpc.com_atproto_label.table import methods as about_labels
from aurora_locus.xrpc.com_atproto_label.table import streams as streams_of_labels
from aurora_locus.xrpc.com_atproto_lexicon import resolve_lexicon
from aurora_locus.xrpc.com_atproto_moderation.table import methods as of_moderation
from aurora_locus.xrpc.com_atproto_repo import (
    apply_writes,
    create_record,
    delete_record,
    describe_repo,
    import_repo,
    list_missing_blobs,
    list_records,
    put_record,
    upload_blob,
)
from aurora_locus.xrpc.com_atproto_repo import get_record as get_repo_record
from aurora_locus.xrpc.com_atproto_repo.type_resolution import with_type_resolution
from aurora_locus.xrpc.com_atproto_repo.writer_limits import for_writers
from aurora_locus.xrpc.com_atproto_server.table import methods as about_accounts
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
from aurora_locus.xrpc.com_atproto_sync.crawler_limits import for_crawlers
from aurora_locus.xrpc.dispatch import MethodTable

REPO = (
    apply_writes.METHOD,
    create_record.METHOD,
    delete_record.METHOD,
    describe_repo.METHOD,
    get_repo_record.METHOD,
    import_repo.METHOD,
    list_missing_blobs.METHOD,
    list_records.METHOD,
    put_record.METHOD,
    upload_blob.METHOD,
)

STREAMS = {subscribe_repos.NSID: subscribe_repos.subscribe_repos}

SYNC = (
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


def table(registry: Registry, labels: Labels) -> MethodTable:
    """Return every XRPC method of a running server, with its limits."""
    repo = [for_writers(registry, with_type_resolution(method)) for method in REPO]
    sync = [for_crawlers(registry, method) for method in SYNC]
    return MethodTable(
        [
            *repo,
            resolve_lexicon.METHOD,
            *sync,
            *about_accounts(registry),
            *about_identities(registry),
            *of_the_administration(registry),
            *of_moderation(registry),
            *about_labels(labels),
        ],
        {**STREAMS, **streams_of_labels(labels)},
    )
