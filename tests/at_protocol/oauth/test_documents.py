"""Metadata of clients and servers: captured documents are accepted, and each rule refuses a violation."""

import json

import pytest
from tests.external_dependencies import FIXTURES, fixture_path, needs

from at_protocol.crypto.jwk import to_jwk
from at_protocol.crypto.p256 import P256PrivateKey
from at_protocol.failures import Malformed
from at_protocol.lexicon.catalog import Catalog
from at_protocol.lexicon.document import PermissionSetType, read_document
from at_protocol.oauth.client_id import ClientId, parse_client_id
from at_protocol.oauth.client_metadata import localhost_client, parse_client_metadata
from at_protocol.oauth.jwks import parse_jwks
from at_protocol.oauth.permission_sets import expand
from at_protocol.oauth.permissions import Inclusion, parse_permission
from at_protocol.oauth.redirects import is_declared
from at_protocol.oauth.server_metadata import (
    check_issuer,
    describe_resource,
    describe_server,
    parse_resource,
    parse_server,
)

FOLDER = "vectors/indigo/oauth"


def captured(name):
    return json.loads(fixture_path(f"{FOLDER}/{name}.json").read_bytes())


@needs("fixtures")
@pytest.mark.parametrize(
    ("name", "is_confidential"),
    [
        ("flaskdemo-client-metadata", True),
        ("smokesignal-client-metadata", False),
        ("statusphere-client-metadata", False),
    ],
)
def test_documents_of_real_clients(name, is_confidential):
    document = captured(name)
    client = parse_client_metadata(document, parse_client_id(document["client_id"]))
    assert client.is_confidential is is_confidential
    assert client.scopes == ("atproto", "transition:generic")
    assert client.redirect_uris == tuple(document["redirect_uris"])


@needs("fixtures")
@pytest.mark.parametrize(("name", "count"), [("flaskdemo-jwks", 1), ("smokesignal-jwks", 2)])
def test_keys_of_real_clients(name, count):
    assert len(parse_jwks(captured(name))) == count


@needs("fixtures")
@pytest.mark.parametrize("name", ["bsky-entryway-authorization-server", "indie-authorization-server"])
def test_documents_of_real_servers(name):
    document = captured(name)
    assert parse_server(document, document["issuer"]).token_endpoint == document["token_endpoint"]


@needs("fixtures")
@pytest.mark.parametrize("name", ["indie-protected-resource", "morel-protected-resource"])
def test_documents_of_real_resources(name):
    document = captured(name)
    assert parse_resource(document, document["resource"]) == document["authorization_servers"][0]


def test_our_own_metadata_is_valid():
    found = parse_server(describe_server("https://pds.test", "https://pds.test"), "https://pds.test")
    assert found.protected_resources == ("https://pds.test",)
    resource = describe_resource("https://pds.test", "https://pds.test")
    assert parse_resource(resource, "https://pds.test") == "https://pds.test"


@pytest.mark.parametrize(
    "issuer",
    [
        "https://pds.test/",
        "https://pds.test:443",
        "http://pds.test",
        "https://PDS.test",
        "https://pds.test/x",
        "pds.test",
    ],
)
def test_issuers_are_origins_in_one_spelling(issuer):
    with pytest.raises(Malformed):
        check_issuer(issuer)


def test_a_resource_has_one_server():
    document = describe_resource("https://pds.test", "https://pds.test")
    document["authorization_servers"] = ["https://pds.test", "https://other.test"]
    with pytest.raises(Malformed):
        parse_resource(document, "https://pds.test")


CLIENT = ClientId("https://app.example.com/client.json")
KEY = {**to_jwk(P256PrivateKey.from_random(bytes(range(48))).public), "kid": "k"}
PUBLIC = {
    "client_id": CLIENT,
    "redirect_uris": ["https://app.example.com/callback"],
    "scope": "atproto repo:*",
    "grant_types": ["authorization_code", "refresh_token"],
    "response_types": ["code"],
    "token_endpoint_auth_method": "none",
    "dpop_bound_access_tokens": True,
}
SECRET = {
    **PUBLIC,
    "token_endpoint_auth_method": "private_key_jwt",
    "token_endpoint_auth_signing_alg": "ES256",
    "jwks": {"keys": [KEY]},
}
NATIVE = {**PUBLIC, "application_type": "native"}
GOOD = {
    "public": PUBLIC,
    "confidential": SECRET,
    "keys elsewhere": {**{k: v for k, v in SECRET.items() if k != "jwks"}, "jwks_uri": "https://app.example.com/jwks"},
    "keys that nobody needs": {**PUBLIC, "jwks_uri": "https://app.example.com/jwks"},
    "native on the loopback": {**NATIVE, "redirect_uris": ["http://127.0.0.1/callback", "http://[::1]:8080/callback"]},
    "native with its own scheme": {**NATIVE, "redirect_uris": ["com.example.app:/callback"]},
    "native on its own site": {**NATIVE, "redirect_uris": ["https://app.example.com/x"]},
}


@pytest.mark.parametrize("document", GOOD.values(), ids=GOOD.keys())
def test_valid_client_metadata_is_read(document):
    assert parse_client_metadata(document, CLIENT).client_id == CLIENT


BREACHES = {
    "not an object": [],
    "another client": {**PUBLIC, "client_id": "https://other.example.com/client.json"},
    "no keys for tokens": {**PUBLIC, "dpop_bound_access_tokens": False},
    "an unknown type": {**PUBLIC, "application_type": "desktop"},
    "implicit": {**PUBLIC, "grant_types": ["authorization_code", "implicit"]},
    "a grant twice": {**PUBLIC, "grant_types": ["authorization_code", "authorization_code"]},
    "no code": {**PUBLIC, "response_types": ["token"]},
    "no scope": {k: v for k, v in PUBLIC.items() if k != "scope"},
    "a scope twice": {**PUBLIC, "scope": "atproto atproto"},
    "no atproto": {**PUBLIC, "scope": "repo:*"},
    "no redirect": {**PUBLIC, "redirect_uris": []},
    "a redirect with a password": {**PUBLIC, "redirect_uris": ["https://a:b@app.example.com/c"]},
    "a redirect to localhost": {**NATIVE, "redirect_uris": ["http://localhost/c"]},
    "a web client on the loopback": {**PUBLIC, "redirect_uris": ["http://127.0.0.1/c"]},
    "plain http": {**PUBLIC, "redirect_uris": ["http://app.example.com/c"]},
    "a redirect to an address": {**PUBLIC, "redirect_uris": ["https://192.0.2.1/c"]},
    "a fragment": {**PUBLIC, "redirect_uris": ["https://app.example.com/c#x"]},
    "another's private scheme": {**NATIVE, "redirect_uris": ["com.example.other:/c"]},
    "a private scheme with a host": {**NATIVE, "redirect_uris": ["com.example.app://c"]},
    "a private scheme of a web client": {**PUBLIC, "redirect_uris": ["com.example.app:/c"]},
    "native on another site": {**NATIVE, "redirect_uris": ["https://other.example.com/c"]},
    "a script": {**NATIVE, "redirect_uris": ["javascript:alert(1)"]},
    "native with a key": {**SECRET, "application_type": "native"},
    "no way to authenticate": {**PUBLIC, "token_endpoint_auth_method": "client_secret_basic"},
    "an algorithm for nothing": {**PUBLIC, "token_endpoint_auth_signing_alg": "ES256"},
    "no algorithm": {k: v for k, v in SECRET.items() if k != "token_endpoint_auth_signing_alg"},
    "no signature": {**SECRET, "token_endpoint_auth_signing_alg": "none"},
    "two sets of keys": {**SECRET, "jwks_uri": "https://app.example.com/jwks"},
    "no keys": {k: v for k, v in SECRET.items() if k != "jwks"},
    "an empty set": {**SECRET, "jwks": {"keys": []}},
    "a private key": {**SECRET, "jwks": {"keys": [{**KEY, "d": "AAAA"}]}},
    "a key without a name": {**SECRET, "jwks": {"keys": [{k: v for k, v in KEY.items() if k != "kid"}]}},
    "another's page": {**PUBLIC, "client_uri": "https://other.example.com/"},
    "a logo over http": {**PUBLIC, "logo_uri": "http://app.example.com/logo.png"},
    "a logo on a host with syntax of headers": {**PUBLIC, "logo_uri": "https://a;script-src%20*/logo.png"},
    "a logo on every host": {**PUBLIC, "logo_uri": "https://*/logo.png"},
    "a logo on a host with a space": {**PUBLIC, "logo_uri": "https://a b/logo.png"},
    "a page with a line break": {**PUBLIC, "policy_uri": "https://app.example.com/\nx"},
    "a script as page": {**PUBLIC, "tos_uri": "javascript:alert(1)"},
}


@pytest.mark.parametrize("document", BREACHES.values(), ids=BREACHES.keys())
def test_invalid_client_metadata_is_refused(document):
    with pytest.raises(Malformed):
        parse_client_metadata(document, CLIENT)


@pytest.mark.parametrize(
    ("client_id", "redirects", "scopes"),
    [
        ("http://localhost", ("http://127.0.0.1/", "http://[::1]/"), ("atproto",)),
        ("http://localhost/?scope=atproto%20repo:*", ("http://127.0.0.1/", "http://[::1]/"), ("atproto", "repo:*")),
        ("http://localhost?redirect_uri=http://127.0.0.1/a", ("http://127.0.0.1/a",), ("atproto",)),
    ],
)
def test_apps_under_development(client_id, redirects, scopes):
    client = localhost_client(parse_client_id(client_id))
    assert (client.redirect_uris, client.scopes, client.is_confidential) == (redirects, scopes, False)


@pytest.mark.parametrize(
    "client_id",
    [
        "http://localhost:80",
        "http://localhost/app",
        "http://localhost?x=1",
        "http://localhost?scope=atproto&scope=atproto",
        "http://localhost#x",
        "https://localhost/client.json",
        "http://127.0.0.1/client.json",
    ],
)
def test_no_apps_under_development(client_id):
    with pytest.raises(Malformed):
        localhost_client(parse_client_id(client_id))


@pytest.mark.parametrize(
    ("asked", "declared", "same"),
    [
        ("https://a.example/c", "https://a.example/c", True),
        ("https://a.example/c/", "https://a.example/c", False),
        ("https://a.example/c?x", "https://a.example/c", False),
        ("https://A.example/c", "https://a.example/c", False),
        ("http://127.0.0.1:5000/c", "http://127.0.0.1/c", True),
        ("http://[::1]:5000/c", "http://[::1]/c", True),
        ("http://127.0.0.1:5000/c", "http://127.0.0.1:6000/c", False),
        ("http://127.0.0.1:5000/d", "http://127.0.0.1/c", False),
        ("http://127.0.0.1:5000/c?x=1", "http://127.0.0.1/c", False),
        ("http://127.0.0.1:5000@evil.example/c", "http://127.0.0.1/c", False),
        ("http://127.0.0.1.evil.example:5000/c", "http://127.0.0.1/c", False),
        ("http://127.0.0.1:99999/c", "http://127.0.0.1/c", False),
        ("http://127.0.0.1", "http://127.0.0.1/", True),
        ("http://127.0.0.1:5000", "http://127.0.0.1/", True),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000/", True),
        ("http://127.0.0.1", "http://127.0.0.1/c", False),
        ("http://127.0.0.1/", "http://127.0.0.1:5000/", False),
        ("http://127.0.0.1/#", "http://127.0.0.1/", False),
        ("http://me@127.0.0.1/", "http://127.0.0.1/", False),
        ("http://127.0.0.1:/", "http://127.0.0.1/", False),
        ("https://a.example", "https://a.example/", False),
    ],
)
def test_redirects_match_what_was_declared(asked, declared, same):
    assert is_declared(asked, declared) is same


def permission_set(*permissions: object) -> PermissionSetType:
    return PermissionSetType(permissions=permissions)


GROUP = "com.example.calendar"
INCLUSION = parse_permission(f"include:{GROUP}.auth?aud=did:web:api.example.com%23app")


@pytest.mark.parametrize(
    ("entry", "scopes"),
    [
        ({"resource": "repo", "collection": [f"{GROUP}.event"]}, [f"repo:{GROUP}.event"]),
        (
            {"resource": "repo", "collection": [f"{GROUP}.x.deep"], "action": ["create"]},
            [f"repo:{GROUP}.x.deep?action=create"],
        ),
        ({"resource": "repo", "collection": ["com.example.other", f"{GROUP}.event"]}, [f"repo:{GROUP}.event"]),
        ({"resource": "repo", "collection": ["com.example.calendars.event"]}, []),
        ({"resource": "repo", "collection": ["*"]}, []),
        ({"resource": "repo", "collection": []}, []),
        ({"resource": "repo", "collection": [f"{GROUP}.event"], "action": ["burn"]}, []),
        ({"resource": "repo", "collection": [f"{GROUP}.event"], "only": "mine"}, []),
        ({"resource": "rpc", "lxm": [f"{GROUP}.get"], "aud": "*"}, [f"rpc:{GROUP}.get?aud=*"]),
        (
            {"resource": "rpc", "lxm": [f"{GROUP}.get"], "inheritAud": True},
            [f"rpc:{GROUP}.get?aud=did:web:api.example.com%23app"],
        ),
        ({"resource": "rpc", "lxm": [f"{GROUP}.get"], "aud": "did:web:x.example#y"}, []),
        ({"resource": "rpc", "lxm": [f"{GROUP}.get"], "aud": "*", "inheritAud": True}, []),
        ({"resource": "rpc", "lxm": ["*"], "aud": "*"}, []),
        ({"resource": "blob", "accept": ["*/*"]}, []),
        ({"resource": "account", "attr": "email"}, []),
        ({"resource": "identity", "attr": "*"}, []),
        ({"resource": "future", "x": 1}, []),
    ],
)
def test_permission_set_grants_only_its_namespace(entry, scopes):
    assert isinstance(INCLUSION, Inclusion)
    found = expand(INCLUSION, permission_set({"type": "permission", **entry}))
    assert [each.scope() for each in found] == scopes


def test_missing_audience_grants_nothing():
    inclusion = parse_permission(f"include:{GROUP}.auth")
    assert isinstance(inclusion, Inclusion)
    entry = {"type": "permission", "resource": "rpc", "lxm": [f"{GROUP}.get"], "inheritAud": True}
    assert expand(inclusion, permission_set(entry)) == []


PUBLISHED = sorted((FIXTURES / "lexicons").glob("**/auth*.json"))


@needs("fixtures")
@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_published_permission_set_grants_its_listed_permissions(path):
    """Every permission of a published set that is within its own namespace is granted, and is written as a valid scope."""
    document = read_document(path.read_bytes())
    definition = document.defs["main"]
    assert isinstance(definition, PermissionSetType)
    inclusion = parse_permission(f"include:{document.id}?aud=did:web:api.example.com%23app")
    assert isinstance(inclusion, Inclusion)
    found = expand(inclusion, definition)
    assert found
    assert [parse_permission(each.scope()) for each in found] == found
    group = document.id.rpartition(".")[0] + "."
    for each in found:
        assert all(name.startswith(group) for name in getattr(each, "collections", getattr(each, "methods", ())))


def test_our_own_documents_have_sets():
    assert isinstance(Catalog().find("community.lexicon.bookmarks.authManageBookmarks").defs["main"], PermissionSetType)
