"""Switch a feature flag, record the reason and apply the effects: waiting jobs continue, and skipped records are read.
Used by the page, the API and the command.
"""

from collections.abc import Iterable
from typing import Final

from groundwork.database.transaction import Database, Transaction
from groundwork.errors import InvalidInput, NotFound
from groundwork.outbox import jobs
from openmeet.domain.series.detection_actions import ALL_STRANGERS
from openmeet.feature_flags import flags
from openmeet.feature_flags.flags import Flag
from openmeet.i18n.markdown import one_line
from openmeet.network.firehose import tenant_interests
from openmeet.network.ingestion.reasons import IngestionReason
from openmeet.outbox import publication_rechecks, publications
from openmeet.outbox.kinds import JobKind
from openmeet.outbox.publications import PublicationKind

MAX_WHY: Final = 200


# Subjects are ordered so that two concurrent enqueues cannot deadlock. Each set is enqueued in one statement.
KNOWN_REPOSITORIES: Final = "select did as subject from identities union select did from repositories order by subject"

OWN_SERIES: Final = """
    select id, user_id, revision from event_series where is_read_only = 0 and deleted_at is null order by id
"""
COUNT_OWN_SERIES: Final = "select count(*) as n from event_series where is_read_only = 0 and deleted_at is null"

# Authors whose events are searched for series: people who sign in here with the account that wrote the events.
AUTHORS: Final = """
    select distinct i.user_id as subject from identities i join events e on e.author_id = i.user_id
     where i.kind <> 'shadow' and e.origin = 'network' and e.deleted_at is null order by subject
"""

_OUT = {Flag.EVENTS_OUT: PublicationKind.EVENT, Flag.RSVPS_OUT: PublicationKind.RSVP}
_IN = frozenset(
    {Flag.EVENTS_IN, Flag.RSVPS_IN, Flag.SERIES_LEXICON, Flag.NATIVE_RECURRENCE, Flag.GROUPS, Flag.MEMBERSHIPS}
)
# Publications that wait for these flags are checked again when the flags are turned on.
_WAITING: dict[Flag, tuple[PublicationKind, ...]] = {
    Flag.GROUPS: (PublicationKind.GROUP, PublicationKind.SUPERSEDED_GROUP, PublicationKind.GROUP_EVENT),
    Flag.MEMBERSHIPS: (PublicationKind.MEMBERSHIP, PublicationKind.ACCEPTANCE),
}


def flag_named(name: str) -> Flag:
    """Return the feature flag with this name. Raises NotFound."""
    try:
        return Flag(name)
    except ValueError:
        raise NotFound(IngestionReason.NO_SUCH_FLAG, flags=", ".join(flag.value for flag in Flag)) from None


async def switch_flag(
    db: Database, installation: Database, flag: Flag, *, is_on: bool, changed_by: str, why: str
) -> bool:
    """Switch the flag. Returns False and stores nothing if it already had this value.

    ``changed_by`` and ``why`` are stored for the record. Raises InvalidInput if no reason is given.
    """
    why = one_line(why)
    if not why or len(why) > MAX_WHY:
        raise InvalidInput("why", IngestionReason.WHY_NEEDED, most=MAX_WHY)
    async with installation.reader() as reader:
        followed = (await tenant_interests.load(reader)).followed
    async with db.transaction() as tx:
        return await switch(tx, flag, is_on=is_on, changed_by=changed_by, why=why, followed=followed)


async def switch(
    tx: Transaction, flag: Flag, *, is_on: bool, changed_by: str, why: str = "", followed: Iterable[str] = ()
) -> bool:
    """Switch a flag and apply its effects. Returns False if it already had this value.

    ``followed``: DIDs that the installation follows in addition to those that this tenant knows. They are read again
    when records from the network are accepted again.
    """
    if not await flags.switch(tx, flag, is_on=is_on, changed_by=changed_by, why=why):
        return False
    if is_on and flag in _OUT:
        await publications.make_due_after_flag_on(tx, _OUT[flag])
    if flag is Flag.NATIVE_RECURRENCE:
        # Events that represent their series now carry the rule, or no longer carry it.
        await publication_rechecks.make_kind_due(tx, PublicationKind.EVENT)
    if is_on and flag is Flag.SERIES_LEXICON:
        await enqueue_series(tx)
    if is_on and flag is Flag.DETECTION:
        await jobs.enqueue_again_selected(tx, JobKind.DETECT_SERIES, AUTHORS)
        # The revisions of these jobs are times (``enqueue_detection``). One of a later interval is due soon anyway.
        await jobs.enqueue_selected(tx, JobKind.DETECT_FOREIGN_SERIES, ALL_STRANGERS, int(tx.now))
    for kind in _WAITING.get(flag, ()) if is_on else ():
        await publication_rechecks.make_kind_due(tx, kind)
    if is_on and flag in _IN:
        await jobs.enqueue_again_selected(tx, JobKind.BACKFILL, KNOWN_REPOSITORIES)
        # ``followed`` includes DIDs known here; each is enqueued once.
        await jobs.enqueue_again(tx, JobKind.BACKFILL, followed)
    return True


async def enqueue_series(tx: Transaction) -> int:
    """Enqueue every series made here for publication, including those older than series records; return their number."""
    await publications.enqueue_selected(tx, kind=PublicationKind.SERIES, subselect=OWN_SERIES)
    await publication_rechecks.make_kind_due(tx, PublicationKind.SERIES)
    await publication_rechecks.make_kind_due(tx, PublicationKind.SUPERSEDED_SERIES)
    row = await tx.fetch_one(COUNT_OWN_SERIES)
    return int(row["n"]) if row else 0
