"""What those who run a group do to it, with its consequences for its events and the answers to them."""

from groundwork.database.transaction import Transaction
from openmeet.attendance import queries
from openmeet.debts import publications
from openmeet.events import queries as events
from openmeet.events.grouping import of_event
from openmeet.events.model import Visibility
from openmeet.events.promotion import Reach, reach
from openmeet.groups import actions as groups
from openmeet.groups.model import Group, GroupDetails, GroupSlug
from openmeet.users.model import Caller


async def revise(
    tx: Transaction, caller: Caller, slug: GroupSlug, details: GroupDetails, *, expected_revision: int | None = None
) -> Group:
    """``groups.actions.edit``; where its events may be seen or published otherwise than before, that is decided anew."""
    before, after = await groups.edit(tx, caller, slug, details, expected_revision=expected_revision)
    was = (before.details.visibility, before.details.promotion_level)
    if was == (details.visibility, details.promotion_level):
        return after
    if reach(Visibility.PUBLIC, of_event(after)) is Reach.NOTHING:
        await events.release_in_group(tx, after.id)
    event_ids = await events.ids_in_group(tx, after.id)
    await publications.look_again(tx, kind=publications.Kind.EVENT, subject_ids=event_ids)
    answers = await queries.ids_of_group(tx, after.id)
    await publications.look_again(tx, kind=publications.Kind.RSVP, subject_ids=answers)
    return after
