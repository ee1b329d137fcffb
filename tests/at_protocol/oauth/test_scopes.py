"""Scopes: the published lists, what each permission matches, and round trips of writing and reading."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.external_dependencies import fixture_lines, fixture_path, needs

from at_protocol.failures import Malformed
from at_protocol.oauth.grant import read_grant
from at_protocol.oauth.permissions import RepoAction, Transition, parse_permission
from at_protocol.oauth.scope_text import read_scope, split_scopes, write_scope

FOLDER = "vectors/indigo/auth"


def lines(name):
    return [pytest.param(text, id=f"line {number}") for number, text in fixture_lines(f"{FOLDER}/{name}")]


def generic():
    path = fixture_path(f"{FOLDER}/generic_scopes_valid.json")
    return json.loads(path.read_bytes()) if path.is_file() else []


@needs("fixtures")
@pytest.mark.parametrize("case", generic(), ids=lambda case: case["scope"])
def test_every_scope_is_parsed_as_published(case):
    """Every scope is parsed into the resource, positional value and parameters of the published list."""
    read = read_scope(case["scope"])
    expected = case["generic"]
    assert (read.resource, read.positional) == (expected["resource"], expected["positional"])
    assert read.parameters == expected["params"]


@needs("fixtures")
@pytest.mark.parametrize("text", lines("generic_scopes_invalid.txt"))
def test_other_characters_are_not_a_scope(text):
    with pytest.raises(Malformed):
        read_scope(text)


@needs("fixtures")
@pytest.mark.parametrize("text", lines("permission_scopes_valid.txt"))
def test_published_permissions_are_understood_and_written_again(text):
    """Each published permission is understood, and what is written for it has the same meaning."""
    permission = parse_permission(text)
    assert not isinstance(permission, Transition)
    assert parse_permission(permission.scope()) == permission


@needs("fixtures")
@pytest.mark.parametrize("text", lines("permission_scopes_invalid.txt"))
def test_invalid_permissions_grant_nothing(text):
    """Each invalid line is refused as a whole, and grants nothing in addition to ``atproto``."""
    with pytest.raises(Malformed):
        parse_permission(text)
    assert read_grant(f"atproto {text}") == read_grant("atproto")


@given(
    st.text(alphabet=st.characters(min_codepoint=1, codec="utf-8"), min_size=1),
    st.lists(st.tuples(st.sampled_from(["aud", "lxm"]), st.text(alphabet=st.characters(codec="utf-8"))), max_size=4),
)
def test_any_value_survives_writing(positional, parameters):
    read = read_scope(write_scope("resource", positional, parameters))
    assert read.positional == positional
    assert [value for name in read.parameters for value in read.parameters[name]] == [
        value for name in dict.fromkeys(name for name, _ in parameters) for n, value in parameters if n == name
    ]


@pytest.mark.parametrize(
    "text", ["", " atproto", "atproto  x", "atproto\tx", "atproto é", 'atproto a"b', "atproto a\\b"]
)
def test_a_list_of_scopes_has_single_spaces(text):
    with pytest.raises(Malformed):
        split_scopes(text)


def test_a_repeated_scope_counts_once():
    assert split_scopes("atproto x atproto x y") == ["atproto", "x", "y"]


NOTE, POST = "com.example.note", "com.example.post"


@pytest.mark.parametrize(
    ("scope", "collection", "writing", "allowed"),
    [
        (f"repo:{NOTE}", NOTE, RepoAction.DELETE, True),
        (f"repo:{NOTE}", POST, RepoAction.CREATE, False),
        (f"repo:{NOTE}?action=create", NOTE, RepoAction.CREATE, True),
        (f"repo:{NOTE}?action=create", NOTE, RepoAction.DELETE, False),
        (f"repo?collection={NOTE}&collection={POST}&action=update", POST, RepoAction.UPDATE, True),
        ("repo:*?action=delete", POST, RepoAction.DELETE, True),
        ("repo:*?action=delete", POST, RepoAction.UPDATE, False),
        ("repo:com.example.*", NOTE, RepoAction.CREATE, False),
        (f"repo:{NOTE}?action=create&more=1", NOTE, RepoAction.CREATE, False),
        ("transition:generic", NOTE, RepoAction.UPDATE, True),
        ("transition:email", NOTE, RepoAction.UPDATE, False),
    ],
)
def test_scopes_for_writing_records(scope, collection, writing, allowed):
    assert read_grant(f"atproto {scope}").may_write(collection, writing) is allowed


@pytest.mark.parametrize(
    ("scope", "media_type", "allowed"),
    [
        ("blob:image/*", "image/png", True),
        ("blob:image/*", "video/mp4", False),
        ("blob:image/png", "image/jpeg", False),
        ("blob:*/*", "application/octet-stream", True),
        ("blob?accept=video/*&accept=text/html", "text/html", True),
        ("blob?accept=video/*&accept=text/html", "text/plain", False),
        ("blob:*/png", "image/png", False),
        ("transition:generic", "video/mp4", True),
    ],
)
def test_scopes_for_uploading_blobs(scope, media_type, allowed):
    assert read_grant(f"atproto {scope}").may_upload(media_type) is allowed


FEED, APP = "app.example.getFeed", "did:web:api.example.com#app"


@pytest.mark.parametrize(
    ("scope", "method", "audience", "allowed"),
    [
        (f"rpc:{FEED}?aud={APP}", FEED, APP, True),
        (f"rpc:{FEED}?aud=did:web:api.example.com%23app", FEED, APP, True),
        (f"rpc:{FEED}?aud={APP}", FEED, "did:web:api.example.com#other", False),
        (f"rpc:{FEED}?aud={APP}", FEED, "did:web:api.example.com", False),
        (f"rpc:{FEED}?aud=did:web:api.example.com", FEED, "did:web:api.example.com", False),
        (f"rpc:{FEED}?aud=*", FEED, APP, True),
        (f"rpc:*?aud={APP}", FEED, APP, True),
        (f"rpc:{FEED}?aud={APP}", "*", APP, False),
        (f"rpc:*?aud={APP}", "*", APP, True),
        ("rpc:*?aud=*", FEED, APP, False),
        ("transition:generic", FEED, APP, True),
        ("transition:generic", "chat.bsky.convo.getLog", APP, False),
        ("transition:chat.bsky", "chat.bsky.convo.getLog", APP, False),
        ("transition:generic transition:chat.bsky", "chat.bsky.convo.getLog", APP, True),
        ("transition:generic", "com.atproto.server.createAccount", APP, False),
        ("transition:generic", "com.atproto.server.CreateAccount", APP, False),
        ("transition:generic", "Chat.bsky.convo.getLog", APP, False),
        ("transition:generic", "*", APP, False),
    ],
)
def test_scopes_for_calling_services(scope, method, audience, allowed):
    assert read_grant(f"atproto {scope}").may_call(method, audience) is allowed


@pytest.mark.parametrize(
    ("scope", "reads_email", "manages_email", "manages_repo"),
    [
        ("account:email", True, False, False),
        ("account:email?action=manage", True, True, False),
        ("account:repo?action=manage", False, False, True),
        ("account:repo", False, False, False),
        ("account:status", False, False, False),
        ("transition:email", True, False, False),
        ("transition:generic", False, False, False),
    ],
)
def test_scopes_for_the_account(scope, reads_email, manages_email, manages_repo):
    grant = read_grant(f"atproto {scope}")
    assert (grant.may_read_email(), grant.may_manage("email"), grant.may_manage("repo")) == (
        reads_email,
        manages_email,
        manages_repo,
    )


@pytest.mark.parametrize(
    ("scope", "handle", "everything"),
    [("identity:handle", True, False), ("identity:*", True, True), ("transition:generic", False, False)],
)
def test_scopes_for_the_identity(scope, handle, everything):
    grant = read_grant(f"atproto {scope}")
    assert (grant.may_change_identity("handle"), grant.may_change_identity("*")) == (handle, everything)
