"""Permissions that an OAuth app needs for each method (atproto permissions specification, "Resource Types").

Apps can never call a method that requires sign-in and is not in this module: passwords, e-mail address, app passwords,
invite codes, activation and deletion belong to the account pages.
"""

from collections.abc import Callable, Mapping

from at_protocol.oauth.grant import Grant
from at_protocol.oauth.permissions import (
    AccountPermission,
    BlobPermission,
    IdentityPermission,
    RepoAction,
    RepoPermission,
    RpcPermission,
)
from aurora_locus.accounts.model import SessionScope
from aurora_locus.blobs.media_type import UNKNOWN
from aurora_locus.xrpc.authentication import AccessLevel, PdsCaller
from groundwork.errors import Forbidden

# The scope that would be needed; None if the call is allowed.
Missing = str | None

_OPEN_TO_ANYBODY = frozenset({AccessLevel.OPTIONAL_LENIENT, AccessLevel.OPTIONAL, AccessLevel.ARRIVAL})


def _needs_nothing(_grant: Grant) -> Missing:
    return None


def _manages(attribute: str) -> Callable[[Grant], Missing]:
    needed_scope = AccountPermission(attribute, may_manage=True).scope()
    return lambda grant: None if grant.may_manage(attribute) else needed_scope


def _changes_identity(attribute: str) -> Callable[[Grant], Missing]:
    needed_scope = IdentityPermission(attribute).scope()
    return lambda grant: None if grant.may_change_identity(attribute) else needed_scope


def _calls_this_server(method: str) -> Callable[[Grant], Missing]:
    needed_scope = RpcPermission((method,), "*").scope()
    return lambda grant: None if grant.may_call_here(method) else needed_scope


_IDENTITY, _REPO, _SERVER, _ACTOR = "com.atproto.identity", "com.atproto.repo", "com.atproto.server", "app.bsky.actor"
_REPORT = "com.atproto.moderation.createReport"

# Methods with `_needs_nothing` need only `atproto`, or check their permission later, when the record, the file or the
# service is known.
NEEDS: Mapping[str, Callable[[Grant], Missing]] = {
    f"{_ACTOR}.getPreferences": _calls_this_server(f"{_ACTOR}.getPreferences"),
    f"{_ACTOR}.putPreferences": _calls_this_server(f"{_ACTOR}.putPreferences"),
    f"{_IDENTITY}.getRecommendedDidCredentials": _needs_nothing,
    f"{_IDENTITY}.refreshIdentity": _needs_nothing,
    f"{_IDENTITY}.requestPlcOperationSignature": _changes_identity("*"),
    f"{_IDENTITY}.signPlcOperation": _changes_identity("*"),
    f"{_IDENTITY}.submitPlcOperation": _changes_identity("*"),
    f"{_IDENTITY}.updateHandle": _changes_identity("handle"),
    _REPORT: _calls_this_server(_REPORT),
    f"{_REPO}.applyWrites": _needs_nothing,
    f"{_REPO}.createRecord": _needs_nothing,
    f"{_REPO}.deleteRecord": _needs_nothing,
    f"{_REPO}.importRepo": _manages("repo"),
    f"{_REPO}.listMissingBlobs": _needs_nothing,
    f"{_REPO}.putRecord": _needs_nothing,
    f"{_REPO}.uploadBlob": _needs_nothing,
    f"{_SERVER}.checkAccountStatus": _needs_nothing,
    f"{_SERVER}.confirmEmail": _manages("email"),
    f"{_SERVER}.getServiceAuth": _needs_nothing,
    f"{_SERVER}.getSession": _needs_nothing,
    f"{_SERVER}.requestEmailConfirmation": _manages("email"),
}


def require(need: AccessLevel, nsid: str, caller: PdsCaller | None) -> None:
    """Raise Forbidden if an app may not call the method; ``ScopeMissingError`` if its user could allow it."""
    if caller is None or caller.grant is None or need in _OPEN_TO_ANYBODY:
        return
    missing_scope_of = NEEDS.get(nsid)
    if missing_scope_of is None:
        raise Forbidden(f"Apps cannot call {nsid}. Use this server's account pages instead.")
    _require(missing_scope_of(caller.grant))


def require_repo_action(caller: PdsCaller | None, collection: str, *actions: RepoAction) -> None:
    """Raise Forbidden (``ScopeMissingError``) unless an app may make all of these writes in the collection."""
    if caller is None or caller.grant is None:
        return
    for action in actions:
        if not caller.grant.may_write(collection, action):
            _require(RepoPermission((collection,), frozenset({action})).scope())


def require_upload(caller: PdsCaller | None, content_type: str | None) -> None:
    """Raise Forbidden (``ScopeMissingError``) unless an app may upload files of the declared type."""
    if caller is None or caller.grant is None:
        return
    bare = (content_type or "").partition(";")[0].strip().lower() or UNKNOWN
    if not caller.grant.may_upload(bare):
        _require(BlobPermission((bare,)).scope())


def require_rpc(caller: PdsCaller | None, *, audience: str, method: str) -> None:
    """Raise Forbidden (``ScopeMissingError``) unless an app may call this method of this service (``did#service``) for
    its user. ``*`` means every method. Sessions of the account itself are always allowed.
    """
    if caller is None or caller.grant is None:
        return
    if not caller.grant.may_call(method, audience):
        _require(RpcPermission((method,), audience).scope())


def may_read_email(caller: PdsCaller | None) -> bool:
    """Whether this caller may see the account's address."""
    return caller is not None and (caller.grant is None or caller.grant.may_read_email())


def scope_at_services(caller: PdsCaller | None) -> SessionScope | None:
    """Return the session scope for proxied calls. OAuth apps were already checked by ``require_rpc``."""
    if caller is not None and caller.grant is not None:
        return SessionScope.PRIVILEGED_APP_PASSWORD
    return None if caller is None else caller.scope


def _require(missing: Missing) -> None:
    if missing is not None:
        why = f'Missing required scope "{missing}"; the user who authorized this app did not grant it.'
        raise Forbidden(why, name="ScopeMissingError")
