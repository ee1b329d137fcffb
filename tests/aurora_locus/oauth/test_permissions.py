"""An app may do only what its user allowed, tested method by method."""

from dataclasses import replace

import pytest

from at_protocol.lexicon.catalog import Catalog
from at_protocol.lexicon.document import Document, PermissionSetType
from at_protocol.syntax.nsid import Nsid
from aurora_locus.oauth.permission_documents import MAX_SETS, PermissionDocuments
from aurora_locus.xrpc.authentication import AccessLevel
from aurora_locus.xrpc.permissions import NEEDS
from aurora_locus.xrpc.table import table
from groundwork.database.transaction import Engine
from groundwork.errors import InvalidInput
from tests.aurora_locus.deployment import SERVER, Deployment
from tests.aurora_locus.oauth.apps import App, localhost_id, named
from tests.aurora_locus.oauth.scoped_app import IDENTITY, REPO, SCOPE_MISSING, let_in_scoped_app

NOTE, OTHER = "org.example.note", "org.example.other"


@pytest.fixture
def engine() -> Engine:
    """This is decided before the database is used."""
    return "sqlite"


async def test_record_permissions_apply_per_collection_and_action(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    one = await let_in_scoped_app(deployment, ana.did, f"atproto repo:{NOTE}?action=create")
    assert await one.write("createRecord", NOTE) == (200, "")
    assert await one.write("createRecord", OTHER) == SCOPE_MISSING
    # The permission check runs before it is known whether a put is a create or an update, so a put needs both
    # permissions.
    assert await one.write("putRecord", NOTE, "two") == SCOPE_MISSING
    assert await one.write("deleteRecord", NOTE) == SCOPE_MISSING
    both = await let_in_scoped_app(deployment, ana.did, f"atproto repo:{NOTE}?action=create&action=update")
    assert await both.write("putRecord", NOTE, "two") == (200, "")
    assert await both.write("deleteRecord", NOTE) == SCOPE_MISSING
    everything = await let_in_scoped_app(deployment, ana.did, "atproto transition:generic")
    assert await everything.write("deleteRecord", NOTE) == (200, "")


async def test_the_refusal_names_what_is_missing(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    one = await let_in_scoped_app(deployment, ana.did, "atproto")
    answer = await one.app.call(f"{REPO}.createRecord", one.token, {"repo": ana.did, "collection": NOTE, "record": {}})
    assert f'"repo:{NOTE}?action=create"' in answer.json()["message"]


async def test_any_app_may_see_the_status_of_the_account(deployment: Deployment) -> None:
    """The reference PDS answers every app, whatever its scopes."""
    ana = await deployment.sign_up("ana")
    one = await let_in_scoped_app(deployment, ana.did, "atproto")
    assert await one.get(f"{SERVER}.checkAccountStatus") == (200, "")


async def test_a_batch_needs_each_of_its_writes(deployment: Deployment) -> None:
    """A batch needs permission for each of its writes; if one is missing, none is made."""
    ana = await deployment.sign_up("ana")
    one = await let_in_scoped_app(deployment, ana.did, f"atproto repo:{NOTE}?action=create")
    kind = f"{REPO}.applyWrites"
    create = {"$type": f"{kind}#create", "collection": NOTE, "rkey": "a", "value": {"$type": NOTE}}
    delete = {"$type": f"{kind}#delete", "collection": NOTE, "rkey": "b"}
    assert await one.post(kind, {"repo": ana.did, "writes": [create, delete]}) == SCOPE_MISSING
    assert (await ana.get(f"{REPO}.getRecord", repo=ana.did, collection=NOTE, rkey="a")).status_code == 400
    assert await one.post(kind, {"repo": ana.did, "writes": [create]}) == (200, "")


async def test_uploads_by_their_declared_type(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    one = await let_in_scoped_app(deployment, ana.did, "atproto blob:image/*")
    found = {}
    for kind in ("image/png", "IMAGE/JPEG; x=1", "video/mp4", "text/plain"):
        answer = await one.app.call(
            f"{REPO}.uploadBlob", one.token, content=b"bytes of a file", headers={"content-type": kind}
        )
        found[kind] = answer.status_code
    assert found == {"image/png": 200, "IMAGE/JPEG; x=1": 200, "video/mp4": 403, "text/plain": 403}


async def test_tokens_for_other_services(deployment: Deployment) -> None:
    ana, ask = await deployment.sign_up("ana"), f"{SERVER}.getServiceAuth"
    app_view = "did:web:api.example.com#app"
    one = await let_in_scoped_app(deployment, ana.did, f"atproto rpc:org.example.ask?aud={app_view}")
    assert await one.get(ask, aud=app_view, lxm="org.example.ask") == (200, "")
    assert await one.get(ask, aud=app_view, lxm="org.example.tell") == SCOPE_MISSING
    assert await one.get(ask, aud="did:web:api.example.com#other", lxm="org.example.ask") == SCOPE_MISSING
    assert await one.get(ask, aud="did:web:api.example.com", lxm="org.example.ask") == SCOPE_MISSING
    assert await one.get(ask, aud=app_view) == SCOPE_MISSING
    generic = await let_in_scoped_app(deployment, ana.did, "atproto transition:generic")
    assert await generic.get(ask, aud=app_view, lxm="org.example.tell") == (200, "")
    assert await generic.get(ask, aud=app_view, lxm="chat.bsky.convo.getLog") == SCOPE_MISSING
    chat = await let_in_scoped_app(deployment, ana.did, "atproto transition:generic transition:chat.bsky")
    assert await chat.get(ask, aud=app_view, lxm="chat.bsky.convo.getLog") == (200, "")


async def test_app_reports_to_the_host_with_permission_to_call_the_method(deployment: Deployment) -> None:
    """No other service moderates for this server, so it answers the call itself, and any audience permits it."""
    ana = await deployment.sign_up("ana")
    nsid = "com.atproto.moderation.createReport"
    subject = {"$type": "com.atproto.admin.defs#repoRef", "did": ana.did}
    report = {"reasonType": "com.atproto.moderation.defs#reasonSpam", "subject": subject}
    found = {}
    for scope in ("atproto", f"atproto rpc:{nsid}?aud=*", "atproto transition:generic"):
        found[scope] = await (await let_in_scoped_app(deployment, ana.did, scope)).post(nsid, report)
    assert list(found.values()) == [SCOPE_MISSING, (200, ""), (200, "")]


async def test_e_mail_address_requires_its_scope(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    for scope, shown in (("atproto", False), ("atproto account:email", True), ("atproto transition:email", True)):
        one = await let_in_scoped_app(deployment, ana.did, scope)
        session = (await one.app.call(f"{SERVER}.getSession", one.token)).json()
        assert ("email" in session, "emailConfirmed" in session) == (shown, shown)


async def test_the_account_and_the_identity(deployment: Deployment) -> None:
    ana = await deployment.sign_up("ana")
    nothing = await let_in_scoped_app(deployment, ana.did, "atproto transition:generic")
    for nsid in (
        f"{IDENTITY}.requestPlcOperationSignature",
        f"{IDENTITY}.signPlcOperation",
        f"{SERVER}.requestEmailConfirmation",
    ):
        assert await nothing.post(nsid) == SCOPE_MISSING, nsid
    assert await nothing.post(f"{IDENTITY}.updateHandle", {"handle": "anna.test"}) == SCOPE_MISSING
    handle = await let_in_scoped_app(deployment, ana.did, "atproto identity:handle account:email?action=manage")
    assert await handle.post(f"{IDENTITY}.updateHandle", {"handle": "anna.test"}) == (200, "")
    assert await handle.post(f"{SERVER}.requestEmailConfirmation", content=b"") == (200, "")
    assert await handle.post(f"{IDENTITY}.signPlcOperation", {"token": "x"}) == SCOPE_MISSING
    answer = await handle.app.call(
        f"{REPO}.importRepo", handle.token, content=b"x", headers={"content-type": "application/vnd.ipld.car"}
    )
    assert named(answer) == SCOPE_MISSING


async def test_account_methods_are_refused_to_apps(deployment: Deployment) -> None:
    """No scope lets an app change passwords, address, invites, activation or deletion; these are reserved for the
    account's own pages.
    """
    ana = await deployment.sign_up("ana")
    scope = "atproto transition:generic account:email?action=manage account:repo?action=manage identity:*"
    one = await let_in_scoped_app(deployment, ana.did, scope)
    methods = {method.nsid: method for method in table(deployment.pds.registry).methods.values()}
    signed_in = {AccessLevel.ACCESS, AccessLevel.FULL_ACCESS, AccessLevel.SERVICE}
    never = sorted(nsid for nsid, method in methods.items() if method.need in signed_in and nsid not in NEEDS)
    assert {
        f"{SERVER}.{name}"
        for name in (
            "activateAccount",
            "createAppPassword",
            "deactivateAccount",
            "getAccountInviteCodes",
            "listAppPasswords",
            "requestAccountDelete",
            "requestEmailUpdate",
            "revokeAppPassword",
            "updateEmail",
        )
    } <= set(never)
    for nsid in never:
        found = await (one.get(nsid) if methods[nsid].kind == "query" else one.post(nsid))
        assert found == (403, "Forbidden"), nsid


async def test_every_line_is_about_a_method(deployment: Deployment) -> None:
    """Each line names an existing method that needs permission."""
    methods = table(deployment.pds.registry).methods
    assert {nsid for nsid in NEEDS if nsid in methods} == NEEDS.keys()
    assert not {nsid for nsid in NEEDS if methods[nsid].need in (AccessLevel.OPTIONAL, AccessLevel.ADMIN)}


async def test_permission_set_is_requested_by_name(deployment: Deployment) -> None:
    """A permission set is requested by name. The token contains the permissions of the set, and not its name."""
    ana = await deployment.sign_up("ana")
    name = "community.lexicon.bookmarks.authManageBookmarks"
    scope = f"atproto include:{name}?aud=did:web:api.example.com%23app"
    app = App(deployment, client_id=localhost_id(scope), scope=scope)
    tokens = await app.let_in(ana.did)
    kind = "community.lexicon.bookmarks"
    assert tokens.scope == (
        f"atproto rpc:{kind}.getActorBookmarks?aud=did:web:api.example.com%23app repo:{kind}.bookmark"
    )
    refreshed = (await app.refresh(tokens.refresh_token)).json()
    assert refreshed["scope"] == tokens.scope
    unknown = "atproto include:com.example.sets.nothing"
    answer = await replace(app, client_id=localhost_id(unknown), scope=unknown).push()
    assert named(answer) == (400, "invalid_scope")


async def test_request_names_a_limited_number_of_permission_sets(deployment: Deployment) -> None:
    """A request cannot make this server look up any number of permission sets."""
    scope = " ".join(["atproto", *(f"include:com.example.sets.number{number}" for number in range(MAX_SETS + 1))])
    answer = await App(deployment, client_id=localhost_id(scope), scope=scope).push()
    assert named(answer) == (400, "invalid_scope")
    assert f"at most {MAX_SETS}" in answer.json()["error_description"]


async def test_own_permission_sets_are_built_in(deployment: Deployment) -> None:
    """Our own permission sets are built in: an events app that requests them may call every query at the service that
    it names, and write the records of the set.
    """
    ana = await deployment.sign_up("ana")
    service, own = "did:web:events.example.com#openmeet", "openmeet.lexicon"
    catalog = Catalog()
    queries = [name for name in catalog.names() if name.startswith(f"{own}.") and catalog.find_method(name)]
    sets = f"include:{own}.authRead?aud={service.replace('#', '%23')}"
    reading = await let_in_scoped_app(deployment, ana.did, f"atproto {sets}")
    ask = f"{SERVER}.getServiceAuth"
    assert len(queries) == 8
    for name in queries:
        assert await reading.get(ask, aud=service, lxm=name) == (200, ""), name
    assert await reading.get(ask, aud="did:web:other.example.com#openmeet", lxm=queries[0]) == SCOPE_MISSING
    assert await reading.get(ask, aud=service, lxm=f"{own}.somethingElse") == SCOPE_MISSING
    assert await reading.write("createRecord", f"{own}.series") == SCOPE_MISSING
    managing = await let_in_scoped_app(deployment, ana.did, f"atproto {sets.replace('authRead', 'authManage')}")
    assert await managing.get(ask, aud=service, lxm=queries[0]) == (200, "")
    for collection in ("series", "group", "groupAcceptance", "groupEvent", "groupMembership"):
        # The Lexicon refuses this record, not the permission.
        assert (await managing.write("createRecord", f"{own}.{collection}"))[1] == "InvalidRequest"
    assert await managing.write("createRecord", NOTE) == SCOPE_MISSING


async def test_permission_sets_of_a_request_are_limited_in_size() -> None:
    """The sets are stored with each pushed request."""

    async def resolve(nsid: Nsid) -> Document:
        permission: dict[str, object] = {"type": "permission", "resource": "repo", "collection": ["a" * 20_000]}
        return Document(lexicon=1, id=nsid, defs={"main": PermissionSetType(permissions=(permission,))})

    sets = PermissionDocuments(Catalog(), resolve)
    assert len(await sets.find_all(["include:com.example.sets.one"])) == 1
    with pytest.raises(InvalidInput, match="bytes"):
        await sets.find_all(["include:com.example.sets.one", "include:com.example.sets.two"])
