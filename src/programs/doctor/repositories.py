"""Checks of the server's accounts: they are listed and resolve in both directions, and one repository is downloaded and
verified.
"""

from collections.abc import AsyncIterator

from at_protocol.failures import Malformed
from at_protocol.repo import car
from at_protocol.repo.commit import verify_commit
from at_protocol.repo.snapshot import read_snapshot
from at_protocol.syntax.did import Did, parse_did
from at_protocol.syntax.handle import parse_handle
from groundwork.errors import Failure
from programs.command_line import with_count
from programs.doctor.finding import CheckFinding, failed, good, note, skipped
from programs.doctor.target import CheckedHost

ACCOUNTS = 3
MAX_REPOSITORY_BYTES = 200_000_000
_MEND_LIST = "Run openmeet pds verify on the server, or report this to the developers of its software."


async def check_enumeration(host: CheckedHost) -> AsyncIterator[CheckFinding]:
    """Check listRepos, which relays call first."""
    about = "accounts"
    try:
        page = await host.xrpc.query("com.atproto.sync.listRepos", {"limit": 100})
    except Failure as failure:
        yield failed(
            about,
            f"The accounts cannot be listed without signing in: {failure.why}",
            "A relay needs com.atproto.sync.listRepos; on Aurora Locus set PDS_FEDERATION_ENABLED and "
            "PDS_FEDERATION_CRAWL_ENABLED.",
        )
        return
    repos = page.get("repos")
    listed = [repo for repo in repos if isinstance(repo, dict)] if isinstance(repos, list) else []
    active = [str(repo["did"]) for repo in listed if repo.get("active") is not False and "did" in repo]
    if not host.accounts:
        try:
            host.accounts = [parse_did(did) for did in active[:ACCOUNTS]]
        except Malformed as failure:
            yield failed(
                about, f"listRepos lists {active[:ACCOUNTS]}, which are not all DIDs: {failure.why}.", _MEND_LIST
            )
            return
    more = " on the first page" if "cursor" in page else ""
    yield good(about, f"{len(listed)} listed{more}, {len(active)} of them active")


async def check_account(host: CheckedHost, identifier: str) -> AsyncIterator[CheckFinding]:
    """Check one account given by the caller instead of the first accounts in the list."""
    try:
        account_name = identifier.removeprefix("@")
        did = (
            parse_did(account_name)
            if account_name.startswith("did:")
            else await host.handles.resolve(parse_handle(account_name.lower()))
        )
    except Malformed as failure:
        yield failed(
            "account", f"{identifier} is neither a handle nor a DID: {failure.why}.", "Give --account ana.example.org."
        )
        return
    except Failure as failure:
        yield failed("account", f"{identifier} does not resolve to an account: {failure.why}", _MEND_HANDLE)
        return
    host.accounts = [did]
    yield good("account", f"{identifier} is {did}")


async def check_accounts(host: CheckedHost) -> AsyncIterator[CheckFinding]:
    """Check the identities of some of a server's accounts, and the whole repository of the first."""
    if not host.accounts:
        yield skipped("identity", "there is no active account to check")
        yield skipped("repository", "there is no active account to check")
        return
    for did in host.accounts:
        yield await _identity(host, did)
    yield await _repository(host, host.accounts[0])


_MEND_HANDLE = (
    "Set the TXT record _atproto.<handle> to did=<DID>, or answer /.well-known/atproto-did at the handle's name with "
    "the DID."
)


async def _identity(host: CheckedHost, did: Did) -> CheckFinding:
    about = "identity"
    try:
        document = await host.dids.resolve(did)
    except Failure as failure:
        return failed(
            about, f"{did}: {failure.why}", "Is the directory the one that this server uses? Give it with --plc."
        )
    if document.pds is None or document.pds.rstrip("/").lower() != host.url.lower():
        return failed(
            about,
            f"{did} names the server {document.pds}, not {host.url}.",
            "The account moved away, or the server's public address changed: its identity must be updated in the "
            "directory.",
        )
    if document.signing_key is None:
        return failed(about, f"{did} has no valid signing key.", "Update the identity with the server's key.")
    try:
        handle = await host.handles.identities.verified_handle(document)
    except Failure as failure:
        return note(about, f"{did}: its handle cannot be checked now: {failure.why}")
    if handle == "handle.invalid":
        return failed(about, f"{did} claims the handle {document.handle}, which does not resolve to it.", _MEND_HANDLE)
    return good(about, f"{handle} is {did}, hosted here")


async def _repository(host: CheckedHost, did: Did) -> CheckFinding:
    about = "repository"
    remedy = "Run openmeet repo verify on an export, and openmeet pds verify on the server."
    try:
        answer = await host.xrpc.download("com.atproto.sync.getRepo", {"did": did}, max_bytes=MAX_REPOSITORY_BYTES)
        snapshot = read_snapshot(car.read(answer.body))
        document = await host.dids.resolve(did)
        if document.signing_key is None:
            return skipped(about, f"{did} has no key to verify its signature with")
        verify_commit(snapshot.commit, did=did, key=document.signing_key)
    except Malformed as failure:
        return failed(about, f"The repository of {did} is not valid: {failure.why}.", remedy)
    except Failure as failure:
        return failed(about, f"The repository of {did} cannot be read: {failure.why}", remedy)
    return good(
        about, f"{did}: {with_count(len(snapshot.entries), 'record')}, all hashes and the signature are correct"
    )
