"""Group and membership records: rows to records and back, unknown fields untouched, and no claim trusted on its own."""

from dataclasses import replace
from typing import Any

import pytest

from at_protocol.failures import Malformed
from at_protocol.lexicon.catalog import Catalog
from at_protocol.lexicon.document import TokenType
from at_protocol.lexicon.validate import validate_record
from at_protocol.syntax.did import parse_did
from groundwork.clock import Instant
from openmeet.domain.groups.model import (
    INSIDE,
    Group,
    GroupId,
    GroupPublication,
    GroupRole,
    GroupSlug,
    GroupVisibility,
    JoinPolicy,
    PromotionLevel,
    SuccessionPlan,
)
from openmeet.domain.groups.publication import BY_LEVEL, GroupPublishLevel, publish_level_of
from openmeet.domain.users.model import UserId
from openmeet.network.records.collections import ACCEPTANCE, GROUP, GROUP_EVENT, MEMBERSHIP
from openmeet.network.records.group import (
    ROLE_TOKENS,
    GroupToWrite,
    StrongRef,
    read_group,
    role_of,
    uri_of_group,
    write_group,
    write_superseded,
)
from openmeet.network.records.group_statements import (
    StatementKind,
    put_link,
    read_link,
    read_statement,
    write_acceptance,
    write_group_event,
    write_membership,
)
from openmeet.network.records.reading_notes import Unmappable
from tests.openmeet.groups.people import details

ANA, BEN = parse_did("did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"), parse_did("did:plc:bbbbbbbbbbbbbbbbbbbbbbbb")
URI = f"at://{ANA}/{GROUP}/3mfyouzqqu325"
CID = "bafyreidiogcxp4vqim4v3c3ivzlj5dixd2qsrjyiqdo36wlkcc34lej3ri"
SAID = StrongRef(f"at://{BEN}/{MEMBERSHIP}/3mfyouzqqu326", CID)
NOW = Instant(1_760_000_000_000_000)


def group(**typed: str) -> Group:
    said = {"country": "DE", "description": "We meet.", "join_policy": "request", "join_question": "Why?", **typed}
    return Group(
        GroupId("g"),
        GroupSlug("chess"),
        details(**{"sync_enabled": "on", **said}),
        "",
        "",
        UserId("u"),
        SuccessionPlan(),
        None,
        None,
        1,
        None,
        NOW,
        NOW,
    )


def out(publish_level: GroupPublishLevel = GroupPublishLevel.FULL, **more: Any) -> GroupToWrite:
    return GroupToWrite(group(), publish_level, "https://meet.example/groups/chess", **more)


@pytest.mark.parametrize("role", GroupRole)
def test_every_role_has_its_value_or_no_record(role):
    """Members have the same role after reading the record back. People without a membership are in no record."""
    value = ROLE_TOKENS[role]
    if role not in INSIDE:
        assert value is None
        return
    assert value == f"{GROUP}#{role.value}"
    assert role_of(value) is role
    assert isinstance(Catalog().definition(value), TokenType)


@pytest.mark.parametrize("value", ["", None, 7, ["x"], f"{GROUP}#pending", f"{GROUP}#emperor", "#banned", "left"])
def test_an_unknown_role_means_plain_membership(value):
    assert role_of(value) is GroupRole.MEMBER


@pytest.mark.parametrize("visibility", GroupVisibility)
@pytest.mark.parametrize("level", PromotionLevel)
@pytest.mark.parametrize("is_wanted", [True, False])
@pytest.mark.parametrize("is_elsewhere", [True, False])
def test_every_combination_of_what_is_published_of_a_group(visibility, level, is_wanted, is_elsewhere):
    """Only a public group whose owner agrees to publishing is published, and only as far as its level allows."""
    one = group(visibility=visibility.value, promotion_level=level.value, sync_enabled="on" if is_wanted else "")
    one = replace(one, network=GroupPublication(record_uri=URI, is_read_only=is_elsewhere))
    may = visibility is GroupVisibility.PUBLIC and is_wanted and not is_elsewhere
    wanted = {
        PromotionLevel.PRIVATE: GroupPublishLevel.NOTHING,
        PromotionLevel.MEMBERS: GroupPublishLevel.MINIMAL,
        PromotionLevel.PUBLIC: GroupPublishLevel.FULL,
    }
    assert publish_level_of(one) is (wanted[level] if may else GroupPublishLevel.NOTHING)
    assert set(BY_LEVEL) == {(each, other) for each in GroupVisibility for other in PromotionLevel}


def test_a_written_record_is_read_back_and_not_written_again():
    ours = out(backup_admins=(BEN,), predecessor=StrongRef(URI, CID))
    record = write_group(ours, None)
    validate_record(Catalog(), GROUP, record)
    read = read_group(GROUP, record)
    said = ours.group.details
    assert (read.name, read.description, read.locality, read.country) == (said.name, "We meet.", "Berlin", "DE")
    assert (read.join_policy, read.join_question, read.level) == (JoinPolicy.REQUEST, "Why?", PromotionLevel.PUBLIC)
    assert (read.backup_admins, read.predecessor, read.successor) == ((BEN,), URI, "")
    assert write_group(ours, record) == record


def test_a_minimal_group_record_has_a_name_and_a_page():
    record = write_group(out(GroupPublishLevel.MINIMAL, backup_admins=(BEN,)), write_group(out(), None))
    assert set(record) == {"$type", "name", "website", "promotion", "createdAt"}


def test_fields_of_other_apps_stay():
    before = write_group(out(), None)
    before |= {"com.example.color": "red"}
    before["roles"] = [{**before["roles"][0], "com.example.badge": "gold"}, {"name": "com.example#cook"}]
    after = write_group(out(), before)
    assert after["com.example.color"] == "red"
    assert after["roles"][0]["com.example.badge"] == "gold"
    assert [one["name"] for one in after["roles"]] == [*(ROLE_TOKENS[role] for role in INSIDE), "com.example#cook"]
    assert write_superseded(URI, after) == {**after, "successor": URI}


def test_membership_records_are_read_back_as_written():
    said = write_membership(URI, NOW, None)
    accepted = write_acceptance(URI, BEN, SAID, f"{GROUP}#admin", NOW, None)
    event = StrongRef(f"at://{BEN}/community.lexicon.calendar.event/3mfyouzqqu327", CID)
    listed = write_group_event(URI, event, NOW, None)
    for collection, record in ((MEMBERSHIP, said), (ACCEPTANCE, accepted), (GROUP_EVENT, listed)):
        validate_record(Catalog(), collection, record)
    mine = read_statement(MEMBERSHIP, BEN, {**said, "role": f"{GROUP}#owner"})
    assert (mine.kind, mine.about, mine.role) == (StatementKind.MEMBERSHIP, BEN, GroupRole.MEMBER)
    theirs = read_statement(ACCEPTANCE, ANA, accepted)
    assert (theirs.about, theirs.role, theirs.refers_to) == (BEN, GroupRole.ADMIN, SAID.uri)
    assert read_statement(GROUP_EVENT, ANA, listed).about == event.uri
    newer = StrongRef(event.uri, "bafyreiaqnwbbbjkxxfkvmsmqutfoqslbgbuyqwnhzf4zr7jgvdy6ds5mmy")
    assert write_group_event(URI, newer, NOW, {**listed, "com.example.x": 1}) == {**listed, "com.example.x": 1}


@pytest.mark.parametrize(
    ("collection", "did", "changes"),
    [
        (ACCEPTANCE, BEN, {}),  # a person accepts themselves
        (GROUP_EVENT, BEN, {}),
        (ACCEPTANCE, ANA, {"member": str(ANA)}),  # the membership record is somebody else's
        (ACCEPTANCE, ANA, {"member": "ben"}),
        (ACCEPTANCE, ANA, {"membership": {"uri": URI, "cid": CID}}),  # refers to no membership record
        (ACCEPTANCE, ANA, {"membership": "x"}),
        (GROUP_EVENT, ANA, {"event": {"uri": URI, "cid": CID}}),
        (MEMBERSHIP, BEN, {"group": SAID.uri}),
        (MEMBERSHIP, BEN, {"group": "at://ana.example/openmeet.lexicon.group/3mfyouzqqu325"}),
        (MEMBERSHIP, BEN, {"group": {"uri": URI}}),
        (MEMBERSHIP, BEN, {"$type": str(ACCEPTANCE)}),
    ],
)
def test_a_statement_by_the_wrong_author_is_ignored(collection, did, changes):
    """The author of a statement is the owner of its repository, whatever the record says."""
    written = {
        ACCEPTANCE: write_acceptance(URI, BEN, SAID, f"{GROUP}#owner", NOW, None),
        GROUP_EVENT: write_group_event(URI, StrongRef(f"at://{BEN}/{GROUP_EVENT}/3mfyouzqqu327", CID), NOW, None),
        MEMBERSHIP: write_membership(URI, NOW, None),
    }
    with pytest.raises((Unmappable, Malformed)):
        read_statement(collection, did, {**written[collection], **changes})


@pytest.mark.parametrize("record", [None, [], {}, {"name": " "}, {"name": 3}, {"name": "x", "$type": "com.example.x"}])
def test_an_invalid_group_record_makes_no_row(record):
    with pytest.raises(Unmappable):
        read_group(GROUP, record)


def test_hostile_values_are_ignored():
    read = read_group(
        GROUP,
        {
            "name": "x" * 5_000,
            "description": 7,
            "location": "here",
            "timezone": "Mars/Olympus",
            "joining": "#whatever",
            "roles": {"name": 1},
            "backupAdmins": ["did:plc:ok", 1, None, {"did": str(BEN)}, str(BEN), *(["x"] * 100)],
            "predecessor": {"uri": "at://did:plc:bbbbbbbbbbbbbbbbbbbbbbbb"},
            "successor": "javascript:alert(1)",
        },
    )
    assert len(read.name) <= 120
    assert (read.description, read.locality, read.time_zone, read.join_policy) == ("", "", "UTC", JoinPolicy.REQUEST)
    assert (read.predecessor, read.successor) == ("", "")
    assert BEN in read.backup_admins
    assert (
        uri_of_group(f"at://{ANA}/net.openmeet.group/3mfyouzqqu325") == f"at://{ANA}/net.openmeet.group/3mfyouzqqu325"
    )


def test_an_event_names_its_group_and_keeps_fields_of_other_apps():
    record = {"name": "Tea"}
    put_link(record, URI)
    record["openmeet.lexicon.groupLink"]["com.example.x"] = 1
    assert read_link(record) == URI
    put_link(record, URI)
    assert record["openmeet.lexicon.groupLink"]["com.example.x"] == 1
    put_link(record, None)
    assert record == {"name": "Tea"}
    assert read_link({"openmeet.lexicon.groupLink": {"group": 3}}) == ""
