"""Roll back a run: delete everything that it imported, in reverse order, unless people have added to it.

If people have signed in, answered or edited since, the rollback is refused with counts, so that their work is not lost.
It is resumable, because each transaction also deletes the mapping of the rows that it removed.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from groundwork.database.transaction import Database, ForeignKeyViolated, Reader, Transaction
from groundwork.errors import NotFound, Refused
from openmeet.domain.attendance import imported_rsvps as attendance
from openmeet.domain.events.model import EventId
from openmeet.domain.groups import membership_queries as groups
from openmeet.domain.groups.model import GroupId
from openmeet.domain.legacy_import import queries
from openmeet.domain.legacy_import.model import LegacyImportReason
from openmeet.domain.legacy_import.queries import ImportRun, LegacyRowKind, RunState
from openmeet.domain.series.model import SeriesId
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.model import UserId
from openmeet.i18n.catalogue import ngettext
from openmeet.outbox import publications

OnProgress = Callable[[str, int, int], None]
Erase = Callable[[Transaction, Sequence[str]], Awaitable[None]]

_AT_ONCE = 200
_SERIES_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class ChangesSinceImport:
    """Numbers of actions by people on the imported rows since the import."""

    people: int
    events: int
    answers: int
    new_events: int
    published: int

    @property
    def words(self) -> str:
        """These actions as a list for people; empty if there were none."""
        parts = (
            (
                self.people,
                ngettext(
                    "%(number)s person has signed in or edited their profile",
                    "%(number)s people have signed in or edited their profile",
                    self.people,
                ),
            ),
            (self.events, ngettext("%(number)s event was edited", "%(number)s events were edited", self.events)),
            (
                self.answers,
                ngettext(
                    "%(number)s answer was given or changed", "%(number)s answers were given or changed", self.answers
                ),
            ),
            (
                self.new_events,
                ngettext(
                    "%(number)s event was created in its groups",
                    "%(number)s events were created in its groups",
                    self.new_events,
                ),
            ),
            (
                self.published,
                ngettext("%(number)s event was published", "%(number)s events were published", self.published),
            ),
        )
        return "; ".join(text for count, text in parts if count)


async def count_changes_since_import(reader: Reader, run: ImportRun) -> ChangesSinceImport:
    """Count the rows that a rollback would delete although the run did not create them."""
    return ChangesSinceImport(
        await queries.count_active_users(reader, run.id),
        await queries.changed_events(reader, run.id),
        await queries.count_new_rsvps(reader, run.id),
        await queries.count_new_events(reader, run.id),
        await queries.published_events(reader, run.id),
    )


async def roll_back(db: Database, source: str, on_progress: OnProgress) -> int:
    """Roll back the run of this source. Returns the number of users that stay because other rows refer to them.

    Raises NotFound (no such run) and Refused (``BuiltUpon``).
    """
    async with db.reader() as reader:
        run = await queries.run_of(reader, source)
        if run is None:
            raise NotFound(LegacyImportReason.NOTHING_IMPORTED, source=source)
        changes = (await count_changes_since_import(reader, run)).words
    if changes:
        raise Refused(LegacyImportReason.BUILT_UPON, changes=changes, name="BuiltUpon")
    await _all(db, run, LegacyRowKind.ANSWER, attendance.erase, on_progress)
    await _all(db, run, LegacyRowKind.EVENT, _erase_events, on_progress)
    await _all(db, run, LegacyRowKind.SERIES, _erase_series, on_progress, at_once=_SERIES_AT_ONCE)
    await _all(db, run, LegacyRowKind.MEMBER, groups.erase_members, on_progress)
    await _all(db, run, LegacyRowKind.GROUP, _erase_groups, on_progress)
    staying = await _people(db, run, on_progress)
    async with db.transaction() as tx:
        await queries.set_state(tx, run.id, RunState.ROLLED_BACK)
    return staying


async def _all(
    db: Database, run: ImportRun, kind: LegacyRowKind, erase: Erase, on_progress: OnProgress, *, at_once: int = _AT_ONCE
) -> None:
    async with db.reader() as reader:
        total = len(await queries.known(reader, run.id, kind))
    done = 0
    while True:
        async with db.transaction() as tx:
            some = await queries.last(tx, run.id, kind, at_once)
            if not some:
                return
            await erase(tx, some)
            await queries.forget(tx, run.id, kind, some)
        done += len(some)
        on_progress(f"rolling back: {kind.value}", done, total)


async def _erase_events(tx: Transaction, ids: Sequence[str]) -> None:
    await publications.delete_without_record(tx, kind=publications.PublicationKind.EVENT, subject_ids=ids)
    await queries.erase_events(tx, [EventId(one) for one in ids])


async def _erase_series(tx: Transaction, ids: Sequence[str]) -> None:
    series_ids = [SeriesId(one) for one in ids]
    # Includes dates that the series has materialized since.
    await _erase_events(tx, await queries.dates_of_series(tx, series_ids))
    await publications.delete_without_record(tx, kind=publications.PublicationKind.SERIES, subject_ids=ids)
    await queries.erase_series(tx, series_ids)


async def _erase_groups(tx: Transaction, ids: Sequence[str]) -> None:
    await groups.erase(tx, [GroupId(one) for one in ids])


async def _people(db: Database, run: ImportRun, on_progress: OnProgress) -> int:
    async with db.reader() as reader:
        user_ids = list((await queries.known(reader, run.id, LegacyRowKind.USER)).values())
    staying = 0
    for number, user_id in enumerate(user_ids, 1):
        try:
            async with db.transaction() as tx:
                await user_queries.delete_user(tx, UserId(user_id))
                await queries.forget(tx, run.id, LegacyRowKind.USER, [user_id])
        except ForeignKeyViolated:
            # The user follows or belongs to something that this run did not import.
            staying += 1
        on_progress("rolling back: people", number, len(user_ids))
    return staying
