"""Every table over roles has every role, and statements take the names of roles from ``GroupRole``."""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, get_args

import pytest

from at_protocol.lexicon.authority import OWN_AUTHORITY
from groundwork.database.transaction import CheckViolated, Database
from openmeet.domain.account_merge import reassignments
from openmeet.domain.groups import rules
from openmeet.domain.groups.model import BELOW_OWNER, FORMER_ROLES, INSIDE, GroupRole, roles_sql
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.notifications import group_kinds
from openmeet.domain.notifications.group_kinds import RoleDecided
from openmeet.domain.notifications.model import NotificationKind, Payload
from openmeet.emails.notifications import texts
from openmeet.emails.notifications.current_state import CurrentState
from openmeet.network.records.group import ROLE_TOKENS
from openmeet.web.groups import schemas, view
from tests.databases import MakeDatabase
from tests.openmeet.groups.people import group_by
from tests.openmeet.site_under_test import person

SOURCES: Final = Path(__file__).parents[3] / "src"
LEXICONS: Final = SOURCES / "at_protocol" / "lexicon" / "documents" / "openmeet" / "lexicon"
# A role that is compared with a quoted name, and quoted names that nothing but roles has. Records also have the kind
# "member".
QUOTED: Final = re.compile(
    r"\brole(_\w+)?\s*(=|<>|(not\s+)?in)\s*\(?\s*'\w|'(owner|admin|moderator)'|(?<!kind = )'member'", re.IGNORECASE
)


def statements(source: str) -> Iterator[str]:
    """The texts in Python code, apart from docstrings. Parameters of f-strings are left out."""
    tree = ast.parse(source)
    alone = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
    for one in ast.walk(tree):
        if isinstance(one, ast.Constant) and isinstance(one.value, str) and id(one) not in alone:
            yield one.value


def test_a_quoted_role_in_a_statement_is_found() -> None:
    for text in (
        "m.role in ('left', 'banned')",
        "and role = 'pending'",
        "role_after <> 'owner'",
        "m.role not in ('banned')",
        "'owner', 'admin'",
        "when 'member' then 1",
    ):
        assert QUOTED.search(text), text
    for text in ("m.role in (", "m.role = '", "r.kind = 'member'", "a.status = 'pending'", "role in :roles"):
        assert not QUOTED.search(text), text


def test_no_statement_names_a_role_in_quotation_marks() -> None:
    """``roles_sql`` writes the names, so that a new role is in every list that its meaning puts it in."""
    found = {
        str(path.relative_to(SOURCES)): quoted
        for package in ("openmeet", "programs")
        for path in sorted((SOURCES / package).rglob("*.py"))
        if "migrations" not in path.parts
        and (quoted := [text for text in statements(path.read_text("utf-8")) if QUOTED.search(text)])
    }
    assert found == {}
    assert roles_sql(FORMER_ROLES) == "'left', 'banned'"


@pytest.mark.parametrize(
    ("table", "roles"),
    [
        (rules.ALLOWED, (*GroupRole, None)),
        (view._MINE, GroupRole),
        (view.ROLE_CHIPS, GroupRole),
        (view._ROLE_LABELS, INSIDE),
        (ROLE_TOKENS, GroupRole),
        (reassignments._ROLE_PRECEDENCE, GroupRole),
        (get_args(schemas.RoleName), GroupRole),
        (get_args(schemas.GrantedName), BELOW_OWNER),
    ],
    ids=["permissions", "own role", "chips", "in a sentence", "records", "merge", "API", "API, given"],
)
def test_every_table_has_every_role(table: Mapping[GroupRole | None, Any], roles: Any) -> None:
    assert sorted(table, key=str) == sorted(roles, key=str)


def test_roles_are_listed_by_rank() -> None:
    assert [role for role in GroupRole if role in INSIDE] == list(INSIDE)
    assert rules.roles_with(GroupPermission.EDIT_GROUP) == (GroupRole.OWNER, GroupRole.ADMIN)


def test_records_name_every_role_of_members() -> None:
    """Only members have a role in records, and the Lexicon knows each of them."""
    values = [ROLE_TOKENS[role] for role in INSIDE]
    assert values == [f"{OWN_AUTHORITY}.group#{role}" for role in INSIDE]
    assert [role for role in GroupRole if ROLE_TOKENS[role] is not None] == list(INSIDE)
    group, acceptance = (json.loads((LEXICONS / f"{name}.json").read_text()) for name in ("group", "groupAcceptance"))
    assert group["defs"].keys() >= {str(role) for role in INSIDE}
    assert group["defs"]["role"]["properties"]["name"]["knownValues"] == values
    assert acceptance["defs"]["main"]["record"]["properties"]["role"]["knownValues"] == values


def test_other_apps_are_told_every_role() -> None:
    defs = json.loads((LEXICONS / "defs.json").read_text())["defs"]
    assert defs["groupView"]["properties"]["role"]["knownValues"] == [*GroupRole]


def test_no_template_lists_roles() -> None:
    """What people may do is a permission, which the table of roles decides."""
    listing = re.compile(r"\brole(\.value)? in [\[(]")
    templates = (SOURCES / "openmeet" / "web").rglob("*.html")
    assert [path.name for path in templates if listing.search(path.read_text("utf-8"))] == []


async def test_the_database_accepts_exactly_these_roles(make_database: MakeDatabase) -> None:
    db = await make_database("openmeet")
    async with db.transaction() as tx:
        await group_by(tx, await person(tx, "Ana"))
        await tx.execute(
            "insert into group_statements (uri, saying, did, group_uri, about, role, refers_to)"
            " values ('u', 'membership', 'd', 'g', 'a', 'member', '')"
        )
    known = {
        ("group_members", "role"): tuple(GroupRole),
        ("group_members", "network_role"): ("", *INSIDE),
        ("group_statements", "role"): INSIDE,
    }
    assert {(table, column): await _accepted(db, table, column) for table, column in known} == known


async def _accepted(db: Database, table: str, column: str) -> tuple[str, ...]:
    accepted = []
    for role in ("", *GroupRole, "greeter"):
        try:
            async with db.transaction() as tx:
                await tx.execute(f"update {table} set {column} = :role", role=str(role))
        except CheckViolated:
            continue
        accepted.append(role)
    return tuple(accepted)


async def _sentence(db: Database, kind: NotificationKind[Any], payload: Payload) -> str:
    async with db.transaction() as tx:
        ana = await person(tx, "Ana")
        state = CurrentState(ana.user_id, tx.now, group=await group_by(tx, ana))
    before, after = texts.line(kind, payload, state, {})
    return f"{before}Chess{after}"


async def test_a_new_role_is_named_in_the_notification(make_sqlite: MakeDatabase) -> None:
    """Each role of members has its own sentence, which does not depend on the others."""
    db = await make_sqlite("openmeet")
    said = {role: await _sentence(db, group_kinds.ROLE_CHANGED, RoleDecided(role=role)) for role in ("", *INSIDE)}
    assert len(set(said.values())) == len(said)
    assert said[""].endswith("changed your role in Chess.")


@pytest.mark.parametrize("role", INSIDE)
async def test_who_was_accepted_with_any_role_is_not_told_that_they_were_declined(
    make_sqlite: MakeDatabase, role: GroupRole
) -> None:
    """Another app can accept a request and give the person a role above member in the same record."""
    db = await make_sqlite("openmeet")
    said = await _sentence(db, group_kinds.JOIN_DECIDED, RoleDecided(role=role))
    assert said == "Your request was approved: you’re in Chess."
