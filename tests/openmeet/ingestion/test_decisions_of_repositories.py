"""Whose decisions are looked at again: those about records of one repository, in whatever order the database keeps texts."""

from at_protocol.syntax.did import parse_did
from groundwork.database.transaction import Database
from openmeet.ingestion import conflicts
from openmeet.ingestion.answers import FIELD
from openmeet.ingestion.three_way import Decision, Policy, Side
from tests.openmeet.ingestion.network import event, message, rev, rsvp_value
from tests.openmeet.ingestion.view import take
from tests.world.oracle import RSVP, Change


async def test_decisions_about_records_of_one_repository(db: Database):
    """A DID with a port begins as the one without; between a slash and a zero there is more than that in most collations."""
    tea = event(1, "tea", 1)
    short, longer = parse_did("did:web:meet.example"), parse_did("did:web:meet.example%3A8080")
    answers = {one: message(Change(one, RSVP, "a", rev(2), rsvp_value(tea.uri))) for one in (short, longer)}
    await take(db, tea, *answers.values())
    theirs = Decision(FIELD, "", "attending", "declined", Policy.LATEST_ANSWER, Side.THEIRS)
    async with db.transaction() as tx:
        if tx.engine == "postgresql":
            await tx.execute('alter table conflicts alter column uri type text collate "en-x-icu"')
        for one in answers.values():
            await conflicts.keep(tx, uri=one.uri, theirs_rev=rev(9), ours_revision=1, decisions=(theirs,))
        for did, answer in answers.items():
            found = await conflicts.missed_by(tx, did, field=FIELD, rev=rev(5))
            assert [one.uri for one in found] == [answer.uri]
