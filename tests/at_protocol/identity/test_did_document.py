"""DID documents: real ones, and those with missing, duplicate or unusable parts."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.did_documents import account_document
from tests.external_dependencies import fixture_path, needs

from at_protocol.crypto import k256, p256
from at_protocol.crypto.did_key import format_did_key, format_multikey
from at_protocol.failures import Malformed
from at_protocol.identity.did_document import (
    DidService,
    build_did_document,
    host_url,
    parse_did_document,
)
from at_protocol.syntax.did import Did
from at_protocol.syntax.handle import Handle

DID = Did("did:plc:ewvi7nxzyoun6zhxrhs64oiz")
KEY = k256.K256PrivateKey.from_random(b"k" * 40).public
OTHER = p256.P256PrivateKey.from_random(b"o" * 40).public
IDENTITY = "vectors/indigo/identity"


def _real_documents():
    path = fixture_path("data/firehose/relay-2026-07-04-a.did-docs.json")
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


REAL = _real_documents()


@needs("fixtures")
def test_every_real_document_is_run():
    assert len(REAL) == 80


@pytest.mark.parametrize("did", REAL)
def test_real_document(did):
    """Handle, key and PDS of a real document are read, and rebuilding from them gives the directory's document."""
    source = REAL[did]
    document = parse_did_document(source, Did(did))
    assert document.handle is not None
    assert document.signing_key is not None
    assert document.pds is not None
    built = account_document(Did(did), handle=document.handle, key=document.signing_key, pds=document.pds)
    assert built == source


@needs("fixtures")
def test_every_published_document_is_run():
    assert {path.name for path in fixture_path(IDENTITY).iterdir()} == {
        "did_plc_doc.json",
        "did_plc_doc_legacy.json",
        "did_web_doc.json",
    }


@needs("fixtures")
def test_legacy_document_holds_the_same_key():
    found = []
    for name in ("did_plc_doc.json", "did_plc_doc_legacy.json"):
        source = json.loads(fixture_path(f"{IDENTITY}/{name}").read_text(encoding="utf-8"))
        document = parse_did_document(source, Did(source["id"]))
        found.append((document.handle, document.signing_key, document.pds))
    assert found[0] == found[1]
    assert found[0][0] == "atproto.com"
    assert format_multikey(found[0][1]) == "zQ3shXjHeiBuRCKmM36cuYnm7YEMzhGnCmCyW92sRJ9pribSF"


@needs("fixtures")
def test_document_of_a_service():
    """A service's document without handle, key and PDS, or with null, is well-formed but not an account."""
    source = json.loads(fixture_path(f"{IDENTITY}/did_web_doc.json").read_text(encoding="utf-8"))
    document = parse_did_document(source, Did("did:web:discover.bsky.social"))
    assert (document.handle, document.signing_key, document.pds) == (None, None, None)
    assert document.service("bsky_fg", "BskyFeedGenerator") == "https://discover.bsky.social"
    assert document.service("bsky_fg") == "https://discover.bsky.social"
    assert document.service("bsky_fg", "BskyLabeler") is None


def _method(**changes: object):
    return {
        "id": f"{DID}#atproto",
        "type": "Multikey",
        "controller": DID,
        "publicKeyMultibase": format_multikey(KEY),
        **changes,
    }


def _service(**changes: object):
    return {
        "id": "#atproto_pds",
        "type": "AtprotoPersonalDataServer",
        "serviceEndpoint": "https://pds.test",
        **changes,
    }


def _document(**sections: object):
    return parse_did_document({"id": DID, **sections}, DID)


@pytest.mark.parametrize("name", ["#atproto", f"{DID}#atproto"])
def test_fragments_relative_and_full(name):
    assert _document(verificationMethod=[_method(id=name)]).signing_key == KEY


def test_a_fragment_of_another_identity_is_not_ours():
    foreign = _method(id="did:plc:aaaaaaaaaaaaaaaaaaaaaaaa#atproto")
    assert _document(verificationMethod=[foreign]).signing_key is None
    ours = _method(publicKeyMultibase=format_multikey(OTHER))
    assert _document(verificationMethod=[foreign, ours]).signing_key == OTHER


def test_first_of_two_entries_is_used():
    """The first of two entries counts even if it is unusable; otherwise readers could be led to different keys."""
    second = _method(publicKeyMultibase=format_multikey(OTHER))
    assert _document(verificationMethod=[_method(), second]).signing_key == KEY
    assert _document(verificationMethod=[_method(type="Ed25519VerificationKey2020"), second]).signing_key is None
    pds = _service(serviceEndpoint="https://other.test")
    assert _document(service=[_service(type="Else"), pds]).pds is None


@pytest.mark.parametrize(
    "change",
    [
        {"controller": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"},
        {"controller": None},
        {"type": "JsonWebKey2020"},
        {"type": None},
        {"publicKeyMultibase": None},
        {"publicKeyMultibase": "z"},
        {"publicKeyMultibase": {"x": 1}},
        {"type": "EcdsaSecp256k1VerificationKey2019"},
        {"id": "#atproto_label"},
        {"id": "atproto"},
        {"id": None},
    ],
)
def test_unusable_keys(change):
    """An unusable key makes the account broken, but the document is not malformed."""
    assert _document(verificationMethod=[_method(**change)]).signing_key is None


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://pds.test/xrpc",
        "https://pds.test?x",
        "https://pds.test#x",
        "https://user@pds.test",
        "https://user:secret@pds.test",
        "ftp://pds.test",
        "pds.test",
        "https://",
        "https://pds.test:99999",
        "https://pds.test:x",
        "https://[::1",
        "https://pds.test\n",
        "https://pds .test",
        "javascript:alert(1)",
        {"uri": "https://pds.test"},
        ["https://pds.test"],
        None,
        7,
    ],
)
def test_unusable_endpoints_are_no_pds(endpoint):
    assert _document(service=[_service(serviceEndpoint=endpoint)]).pds is None


@pytest.mark.parametrize(
    "endpoint, read",
    [
        ("https://pds.test", "https://pds.test"),
        ("https://PDS.test/", "https://pds.test"),
        ("http://localhost:2583", "http://localhost:2583"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
    ],
)
def test_endpoints_without_anything_behind_the_host(endpoint, read):
    assert _document(service=[_service(serviceEndpoint=endpoint)]).pds == read == host_url(endpoint)


@pytest.mark.parametrize(
    "names, handle",
    [
        (["at://Alice.Test"], "alice.test"),
        (["https://alice.test", "at://alice.test"], "alice.test"),
        (["at://alice.test/path", "at://bob.test"], "bob.test"),
        (["at://not_a_host", "at://bob.test", "at://carol.test"], "bob.test"),
        ([f"at://{DID}", 7, None], None),
        ([], None),
        (None, None),
        ("at://alice.test", None),
    ],
)
def test_first_well_formed_handle_is_used(names, handle):
    assert _document(alsoKnownAs=names).handle == handle


@pytest.mark.parametrize("document", [None, [], "x", {}, {"id": None}, {"id": "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"}])
def test_document_of_another_identity_is_refused(document):
    with pytest.raises(Malformed) as raised:
        parse_did_document(document, DID)
    assert raised.value.kind == "did document"


def test_other_keys_and_services():
    document = _document(
        verificationMethod=[_method(), _method(id="#atproto_label", publicKeyMultibase=format_multikey(OTHER))],
        service=[_service(id="#atproto_labeler", type="AtprotoLabeler")],
    )
    assert document.key("atproto_label") == OTHER
    assert document.service("atproto_labeler", "AtprotoLabeler") == "https://pds.test"


def test_built_documents_name_the_suites_of_their_keys():
    built = build_did_document(
        DID,
        also_known_as=["at://alice.test"],
        verification_methods={
            "atproto": format_did_key(KEY),
            "atproto_label": format_did_key(OTHER),
            "odd": "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK",
        },
        services={"x": DidService("X", "https://x.test")},
    )
    assert built["@context"] == [
        "https://www.w3.org/ns/did/v1",
        "https://w3id.org/security/multikey/v1",
        "https://w3id.org/security/suites/secp256k1-2019/v1",
        "https://w3id.org/security/suites/ecdsa-2019/v1",
    ]
    again = parse_did_document(built, DID)
    assert (again.signing_key, again.key("atproto_label"), again.key("odd")) == (KEY, OTHER, None)
    with pytest.raises(Malformed):
        build_did_document(DID, also_known_as=[], verification_methods={"a": "z1"}, services={})


def test_an_account_without_a_handle():
    built = account_document(DID, handle=None, key=KEY, pds="https://pds.test")
    assert parse_did_document(built, DID).handle is None
    assert parse_did_document(account_document(DID, handle=Handle("a.test"), key=KEY, pds="https://x.test"), DID).handle


junk = st.recursive(
    st.none()
    | st.integers()
    | st.text(max_size=8)
    | st.sampled_from(["#atproto", "#atproto_pds", "Multikey", str(DID)]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "type", "controller", "serviceEndpoint", "publicKeyMultibase"]), inner)
    ),
    max_leaves=10,
)


@given(junk, junk, junk)
def test_garbage_is_a_broken_account_and_nothing_else(methods, services, names):
    document = _document(verificationMethod=methods, service=services, alsoKnownAs=names)
    assert document.signing_key is None
    assert document.pds is None
    assert document.handle is None


@given(st.text())
def test_garbage_is_not_a_url(text):
    assert host_url(text) is None
