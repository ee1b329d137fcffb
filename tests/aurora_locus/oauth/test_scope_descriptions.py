"""The requested scopes are described in words, each once, with the serious ones highlighted."""

import pytest

from at_protocol.lexicon.catalog import Catalog
from at_protocol.lexicon.document import PermissionSetType
from aurora_locus.oauth.scope_descriptions import ScopeTopic, abilities, describe_scopes, inabilities, summary_of

SET = "community.lexicon.bookmarks.authManageBookmarks"
SCOPES = [
    "atproto",
    f"include:{SET}?aud=did:web:api.example.com%23app",
    "repo:org.example.note?action=create&action=update",
    "repo:*",
    "rpc:org.example.ask?aud=*",
    "rpc:*?aud=did:web:api.example.com%23app",
    "blob:image/*",
    "blob?accept=video/*&accept=application/pdf",
    "account:email",
    "account:email?action=manage",
    "account:repo",
    "account:repo?action=manage",
    "identity:handle",
    "identity:*",
    "transition:generic",
    "transition:chat.bsky",
    "transition:email",
]


@pytest.fixture
def sets() -> dict[str, PermissionSetType]:
    document = Catalog().find(SET)
    assert document is not None
    definition = document.defs["main"]
    assert isinstance(definition, PermissionSetType)
    return {SET: definition}


def test_every_scope_is_listed_once_and_only_atproto_is_required(sets: dict[str, PermissionSetType]) -> None:
    groups = describe_scopes(SCOPES, sets)
    told = [each for group in groups for each in group.permissions]
    assert sorted(each.scope for each in told) == sorted(SCOPES)
    assert [each.scope for each in told if not each.can_be_refused] == ["atproto"]
    assert [group.topic for group in groups] == list(ScopeTopic)
    # two scopes for the e-mail address have the same description
    assert len({each.sentence for each in told}) >= len(told) - 1


def test_dangerous_permissions_are_highlighted(sets: dict[str, PermissionSetType]) -> None:
    grave = {each.scope for group in describe_scopes(SCOPES, sets) for each in group.permissions if each.is_grave}
    assert grave == {
        "repo:*",
        "rpc:*?aud=did:web:api.example.com%23app",
        "account:repo?action=manage",
        "identity:handle",
        "identity:*",
        "transition:generic",
        "transition:chat.bsky",
    }


def test_descriptions_name_the_affected_data() -> None:
    groups = describe_scopes(["atproto", "repo:org.example.note?action=create&action=update", "blob:image/*"], {})
    assert [each.sentence for group in groups for each in group.permissions] == [
        "see your name and what is public about you",
        "create and change entries of the kind org.example.note",
        "upload images",
    ]


@pytest.mark.parametrize(
    ("locales", "title"),
    [
        ((), "Keep notes"),
        (("de-AT",), "Notizen führen"),
        (("fr", "es"), "Llevar notas"),
        (("fr",), "Keep notes"),
    ],
)
def test_permission_set_is_described_in_the_readers_language(locales: tuple[str, ...], title: str) -> None:
    """A permission set is described in the reader's language (RFC 4647 lookup), followed by what it really grants."""
    given = {"type": "permission", "resource": "repo", "collection": ["org.example.myNote"]}
    words = {"de": "Notizen führen", "es": "Llevar notas"}
    sets = {"org.example.auth": PermissionSetType(permissions=(given,), title="Keep notes", title_lang=words)}
    (group,) = describe_scopes(["include:org.example.auth"], sets, locales)
    (told,) = group.permissions
    assert told.sentence == f"{title} (org.example.auth)"
    assert told.details == ("Create, change and delete entries of the kind org.example.myNote",)


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Keep\u202e notes\u2066\n\u200bfor you", "Keep notes for you"),
        ("x" * 5000, "x" * 79 + "…"),
        ("\u202e \n", "org.example.auth"),
    ],
    ids=["turned round", "endless", "nothing to see"],
)
def test_third_party_texts_are_one_plain_line(title: str, shown: str) -> None:
    """Third-party texts are shown as one plain line, so that they cannot hide or change what the page says about the
    set and what it grants.
    """
    given = {"type": "permission", "resource": "repo", "collection": ["org.example.myNote"]}
    sets = {"org.example.auth": PermissionSetType(permissions=(given,), title=title, detail=title)}
    (group,) = describe_scopes(["include:org.example.auth"], sets)
    (told,) = group.permissions
    assert told.sentence == f"{shown} (org.example.auth)"
    assert told.details[-1] == "Create, change and delete entries of the kind org.example.myNote"
    assert all(line.isprintable() and len(line) <= 300 for line in told.details)


def test_scopes_without_effect_are_not_shown() -> None:
    assert [group.topic for group in describe_scopes(["atproto", "openid", "repo:com.example.*"], {})] == [
        ScopeTopic.IDENTIFY
    ]


def test_known_record_types_have_everyday_names() -> None:
    (group,) = describe_scopes(["repo:community.lexicon.calendar.event", "repo:org.example.note?action=create"], {})
    assert [each.sentence for each in group.permissions] == [
        "create, change and delete your events",
        "create entries of the kind org.example.note",
    ]


def test_equal_permissions_are_merged_and_serious_ones_come_first() -> None:
    scopes = [
        "atproto",
        "repo:community.lexicon.calendar.event",
        "repo:community.lexicon.calendar.rsvp",
        "rpc:app.bsky.feed.getTimeline?aud=did:web:api.bsky.app%23bsky_appview",
        "identity:handle",
    ]
    assert [one.sentence for one in abilities(scopes, {})] == [
        "Change your name",
        "Create, change and delete your events and your answers to events",
        "Use api.bsky.app in your name: get timeline",
        "See your name and what is public about you",
    ]


def test_every_scope_is_listed_alone(sets: dict[str, PermissionSetType]) -> None:
    """Every scope except ``atproto`` is listed alone, as a single request reads: nothing is left out or merged."""
    for scope in SCOPES[1:]:
        assert len(abilities(["atproto", scope], sets)) == 2, scope


@pytest.mark.parametrize(
    ("scopes", "said"),
    [
        (["atproto"], "post for you, read your messages, see your e-mail address, change your name"),
        (["atproto", "repo:app.bsky.feed.post?action=create"], "read your messages, see your e-mail address"),
        (["atproto", "transition:generic", "transition:chat.bsky", "account:email", "identity:*"], ""),
    ],
    ids=["nothing", "posts", "nearly everything"],
)
def test_limits_of_an_app_are_derived_from_its_scopes(scopes: list[str], said: str) -> None:
    """What an app cannot do is derived from its scopes; no scope includes the password."""
    told = inabilities(scopes, {})
    assert said in told.lower()
    assert told.lower().endswith("change your password or delete your account")
    assert ("post for you" in told.lower()) == (scopes == ["atproto"])


@pytest.mark.parametrize(
    ("scopes", "summary"),
    [
        (["atproto"], "Can see your name"),
        (["atproto", "transition:generic"], "Full access"),
        (["atproto", "transition:generic", "transition:chat.bsky"], "Full access, and your private messages"),
        (["atproto", "repo:*"], "Can change everything you have written"),
        (
            ["atproto", "repo:community.lexicon.calendar.event", "blob:image/*", "account:email"],
            "Can change your events, and 2 other things",
        ),
    ],
)
def test_short_lists_summarize_the_permissions(scopes: list[str], summary: str) -> None:
    assert summary_of(scopes) == summary
