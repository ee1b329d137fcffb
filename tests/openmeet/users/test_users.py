"""Users, on both engines."""

import asyncio

import pytest

from groundwork.database.transaction import CheckViolated
from groundwork.errors import InvalidForm, NotFound
from openmeet.domain.users import actions, queries
from openmeet.domain.users.model import Profile, UserId, UserKind, UserReason


@pytest.fixture
async def db(make_database):
    return await make_database("openmeet")


async def test_an_address_belongs_to_one_person_despite_concurrency(db):
    async def sign_up():
        async with db.transaction() as tx:
            return await actions.create_person(tx, email="ana@example.org")

    assert len(set(await asyncio.gather(*(sign_up() for _ in range(5))))) == 1


async def test_people_without_an_address_are_separate_people(db):
    async with db.transaction() as tx:
        assert await actions.create_person(tx) != await actions.create_person(tx)


async def test_a_claimed_shadow_account_keeps_its_row(db):
    async with db.transaction() as tx:
        shadow = await actions.create_shadow(tx)
        assert await actions.claim_shadow(tx, shadow, display_name="carla.example.org")
        assert not await actions.claim_shadow(tx, shadow, display_name="other")
        user = await queries.by_id(tx, shadow)
    assert (user.kind, user.display_name) == (UserKind.PERSON, "carla.example.org")


async def test_a_shadow_account_cannot_have_an_address(db):
    async with db.transaction() as tx:
        shadow = await actions.create_shadow(tx)
    give = "update users set email = 'x@example.org' where id = :id"
    with pytest.raises(CheckViolated):
        await db.write(lambda writer: writer.execute(give, id=shadow))


async def test_a_profile_is_replaced_and_its_revision_incremented(db):
    async with db.transaction() as tx:
        user_id = await actions.create_person(tx, display_name="Ana")
        user = await actions.edit_profile(tx, user_id, Profile("Ana B", "Hello", "Europe/Berlin"))
        with pytest.raises(NotFound):
            await actions.edit_profile(tx, UserId("nobody"), Profile("X", "", None))
    assert (user.display_name, user.bio, user.time_zone, user.revision) == ("Ana B", "Hello", "Europe/Berlin", 2)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("  Ana   B ", "Ana B"),
        ("A\u202ena\x00", "Ana"),
        ("A" + "\u0363" * 40, "A" + "\u0363" * 8),
        ("李", "李"),
        ("أنا", "أنا"),
        ("Family \U0001f468\u200d\U0001f469\u200d\U0001f467", "Family \U0001f468\u200d\U0001f469\u200d\U0001f467"),
        ("\U0001f469\U0001f3fd\u200d\U0001f4bb\u200d", "\U0001f469\U0001f3fd\u200d\U0001f4bb"),
        ("\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",) * 2,
        ("نرگس\u200cسادات",) * 2,
        ("شر\u200cی", "شری"),
        ("ශ්\u200dරීමතී",) * 2,
        ("क्\u200cष",) * 2,
        ("क्\u200dि", "क्ि"),
        ("A\u200dna \u200cB\u200b\u00ad\u2060", "Ana B"),
        ("A\U000e0067\U000e007f", "A"),
    ],
)
def test_names_are_normalised(typed, kept):
    assert actions.check_name(typed) == kept


@pytest.mark.parametrize("typed", ["", "   ", "\u200b\u202e", "\u3164\u2800", "x" * 65])
def test_an_invalid_name_is_refused(typed):
    with pytest.raises(InvalidForm):
        actions.check_name(typed)


@pytest.mark.parametrize(
    "typed",
    [
        "mara.example.social",
        "@mara.example.social",
        "Mara.Example.Social",
        "Mara @mara.example.social",
        "ｍara．example．social",
    ],
)
def test_a_name_cannot_be_the_handle_of_somebody_else(typed):
    """One's own handle is a valid name, whatever its case."""
    with pytest.raises(InvalidForm) as refused:
        actions.check_name(typed, ["ana.example.social"])
    assert refused.value.problems == {"display_name": UserReason.NAME_IS_HANDLE()}
    assert actions.check_name(typed, ["ana.example.social", "mara.example.social"])


@pytest.mark.parametrize(
    "typed", ["M. Schmidt", "Turnverein e.V.", "Node.js Berlin", "ana@example.org", "Ana 2.0", "St. Pauli", "A.B.1"]
)
def test_names_with_full_stops_are_valid(typed):
    assert actions.check_name(typed) == typed
