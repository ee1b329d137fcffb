"""Actions with which one person invites or asks another: if one of them blocks the other, no request is made. On both
engines.
"""

import pytest

from groundwork.database.transaction import Database, Transaction
from groundwork.errors import Refused
from openmeet.domain.attendance import invitations
from openmeet.domain.events import co_hosts
from openmeet.domain.events.content import Content
from openmeet.domain.events.reasons import EventReason
from openmeet.domain.groups import actions as groups
from openmeet.domain.groups import administration
from openmeet.domain.groups import ownership as group_ownership
from openmeet.domain.groups.model import INVITATION_MAIL
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.identities import queries as identities
from openmeet.domain.identities.model import IdentityKind
from openmeet.domain.notifications.queries import newest
from openmeet.domain.safety import actions as safety
from openmeet.domain.search import my_event_lists
from openmeet.domain.search.my_event_lists import MyEvents
from openmeet.domain.series import actions as series
from openmeet.domain.series import follower_queries, ownership
from openmeet.domain.series.reasons import SeriesReason
from openmeet.domain.users.model import Caller
from openmeet.emails.groups import invitation_composer
from openmeet.emails.invitations import co_host_composer
from openmeet.outbox.emails import DueEmail
from tests.openmeet.groups.people import group_by
from tests.openmeet.series.practice import weekly
from tests.openmeet.site_under_test import CODE_KEY, event_by, person

LETTERHEAD = (CODE_KEY, "OpenMeet", "https://meet.example")
DID = "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb"
WHO = pytest.mark.parametrize("who", ["Ana", "Ben"])


async def _two(tx: Transaction) -> tuple[Caller, Caller]:
    return await person(tx, "Ana"), await person(tx, "Ben")


async def _part(tx: Transaction, who: str, ana: Caller, ben: Caller) -> None:
    """Let ``who`` block the other one."""
    one, other = (ana, ben) if who == "Ana" else (ben, ana)
    await safety.block(tx, one, other.user_id)


@WHO
async def test_blocked_people_cannot_be_asked_to_co_host(db: Database, who: str) -> None:
    async with db.transaction() as tx:
        ana, ben = await _two(tx)
        event = await event_by(tx, ana)
        await identities.insert(
            tx, DID, ben.user_id, IdentityKind.CONNECTED, handle="ben.example", pds_url="", is_default=True
        )
        earlier = await co_hosts.invite(tx, ana, event.slug, "ben@example.org")
        await _part(tx, who, ana, ben)
        with pytest.raises(Refused, match=EventReason.CANNOT_BE_ASKED):
            await co_hosts.invite(tx, ana, event.slug, "@ben.example")
        with pytest.raises(Refused, match=EventReason.CANNOT_HOST):
            await co_hosts.accept(tx, ben, earlier.id)
        by_mail = await co_hosts.invite(tx, ana, event.slug, "ben@example.org")
    assert await co_host_composer(*LETTERHEAD)(db, DueEmail("", by_mail.id, by_mail.id, 1)) is None
    async with db.transaction() as tx:
        other = await co_hosts.invite(tx, ana, event.slug, "cleo@example.org")
    assert await co_host_composer(*LETTERHEAD)(db, DueEmail("", other.id, other.id, 1)) is not None


@WHO
async def test_no_group_invitation_is_sent_between_blocked_people(db: Database, who: str) -> None:
    async with db.transaction() as tx:
        ana, ben = await _two(tx)
        group = await group_by(tx, ana)
        await administration.invite_by_mail(tx, CODE_KEY, ana, group.slug, "ben@example.org")
        row = await tx.fetch_one("select id from group_invitations where email = :email", email="ben@example.org")
        assert row is not None
    due = DueEmail(INVITATION_MAIL, row["id"], row["id"], 1)
    assert await invitation_composer(*LETTERHEAD)(db, due) is not None
    async with db.transaction() as tx:
        await _part(tx, who, ana, ben)
    assert await invitation_composer(*LETTERHEAD)(db, due) is None


@WHO
async def test_nothing_is_handed_over_between_blocked_people(db: Database, who: str) -> None:
    async with db.transaction() as tx:
        ana, ben = await _two(tx)
        group = await group_by(tx, ana)
        await groups.join(tx, ben, group.slug)
        practice = await series.create(tx, ana, Content("Practice"), weekly())
        await follower_queries.follow(tx, practice.id, ben.user_id, notifies=True)
        assert [name for _, name in await ownership.candidates(tx, practice)] == ["Ben"]
        await _part(tx, who, ana, ben)
        with pytest.raises(Refused, match=GroupReason.CANNOT_OFFER):
            await group_ownership.offer(tx, ana, group.slug, ben.user_id)
        with pytest.raises(Refused, match=GroupReason.CANNOT_NAME):
            await group_ownership.arrange(tx, ana, group.slug, ben.user_id, absence_days=90, wait_days=14)
        assert await ownership.candidates(tx, practice) == []
        with pytest.raises(Refused, match=SeriesReason.CANNOT_OFFER_TO_THEM):
            await ownership.offer(tx, ana, practice, ben.user_id)


@WHO
async def test_an_invitation_does_not_reach_somebody_who_blocks_the_host(db: Database, who: str) -> None:
    """The host cannot find out whether the address belongs to an account: the invitation is stored, but shown to
    nobody.
    """
    async with db.transaction() as tx:
        ana, ben = await _two(tx)
        event = await event_by(tx, ana)
        await _part(tx, who, ana, ben)
        if who == "Ben":
            await invitations.invite(tx, ana, event.slug, "ben@example.org")
        assert await newest(tx, ben.user_id, 9) == []
        assert await my_event_lists.my_events(tx, ben.user_id, MyEvents.WAITING, None, 9) == []
        assert (await my_event_lists.my_event_counts(tx, ben.user_id))[MyEvents.WAITING] == 0
        cleo = await person(tx, "Cleo")
        await invitations.invite(tx, ana, event.slug, "cleo@example.org")
        assert len(await my_event_lists.my_events(tx, cleo.user_id, MyEvents.WAITING, None, 9)) == 1
