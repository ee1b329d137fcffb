"""Groups of requests by name: one for each method of the reference, and the special cases."""

from collections.abc import Awaitable, Callable

from tests.interop.parity import (
    addresses,
    administration,
    app_view,
    apps,
    edges,
    files,
    formats,
    identities,
    people,
    rare,
    reading,
    streaming,
    writing,
)
from tests.interop.parity.generated import ask_all, methods_of
from tests.interop.parity.sides import Side

Asking = Callable[[Side], Awaitable[None]]

# Methods that the reference does not answer itself. Each is called once, in the group "methods of one server".
OURS_ALONE = frozenset(
    {
        "com.atproto.admin.searchAccounts",
        "com.atproto.admin.updateAccountSigningKey",
        "com.atproto.identity.refreshIdentity",
        "com.atproto.identity.resolveDid",
        "com.atproto.identity.resolveIdentity",
        "com.atproto.label.queryLabels",
        "com.atproto.lexicon.resolveLexicon",
        "com.atproto.sync.getHostStatus",
        "com.atproto.sync.listHosts",
        "com.atproto.sync.listReposByCollection",
        "com.atproto.sync.requestCrawl",
    }
)
NOBODYS = frozenset(
    {
        "com.atproto.sync.notifyOfUpdate",
        "com.atproto.temp.addReservedHandle",
        "com.atproto.temp.checkHandleAvailability",
        "com.atproto.temp.dereferenceScope",
        "com.atproto.temp.fetchLabels",
        "com.atproto.temp.requestPhoneVerification",
        "com.atproto.temp.revokeAccountCredentials",
    }
)

# These methods change the account that they are about, so each gets its own.
_CHANGING = frozenset(
    {
        "com.atproto.admin.deleteAccount",
        "com.atproto.admin.disableAccountInvites",
        "com.atproto.admin.updateAccountEmail",
        "com.atproto.admin.updateAccountHandle",
        "com.atproto.admin.updateAccountPassword",
        "com.atproto.admin.updateSubjectStatus",
        "com.atproto.identity.updateHandle",
        "com.atproto.repo.deleteRecord",
        "com.atproto.server.activateAccount",
        "com.atproto.server.createAppPassword",
        "com.atproto.server.deactivateAccount",
        "com.atproto.server.updateEmail",
    }
)


def _generated(nsid: str) -> Asking:
    async def asking(side: Side) -> None:
        name = nsid.rpartition(".")[2].lower()[-18:] if nsid in _CHANGING else "carol"
        carol, app = await side.person(name)
        await ask_all(side, nsid, carol, app)

    return asking


GROUPS: dict[str, Asking] = {
    **{nsid: _generated(nsid) for nsid in methods_of("com.atproto.") if nsid not in OURS_ALONE | NOBODYS},
    **writing.GROUPS,
    **reading.GROUPS,
    **people.GROUPS,
    **addresses.GROUPS,
    **streaming.GROUPS,
    **edges.GROUPS,
    **formats.GROUPS,
    **rare.GROUPS,
    **files.GROUPS,
    **identities.GROUPS,
    **administration.GROUPS,
    **apps.GROUPS,
    **app_view.GROUPS,
}
