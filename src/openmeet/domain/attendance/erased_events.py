"""Answers to events that go with the account of their author: nobody is left whom a stranger answered, or whom they would come to."""

from collections.abc import Sequence

from groundwork.database.for_each import for_each
from groundwork.database.transaction import Transaction
from openmeet.domain.attendance import actions
from openmeet.domain.events.model import EventId

# What was known of strangers is their record, which is kept; a blank event has no list to show it in.
FORGET_STRANGERS = """
    delete from attendances
     where event_id in (select given.id from each(id text) as given)
       and user_id in (select u.id from users u where u.kind = 'shadow')
"""

# Under the uri of the event another one may stand some day, to which their records would be answers.
FORGET_RECORDS = """
    update attendances set record_uri = null
     where record_uri is not null and event_id in (select given.id from each(id text) as given)
"""


async def erase_answers_to(tx: Transaction, event_ids: Sequence[EventId]) -> None:
    """The events are about to be erased. Answers of people who have an account here stay theirs, and what was written of
    them is decided anew.
    """
    rows = [{"id": event_id} for event_id in sorted(event_ids)]
    await for_each(tx, FORGET_STRANGERS, rows)
    await for_each(tx, FORGET_RECORDS, rows)
    for start in range(0, len(rows), _AT_A_TIME):
        await actions.decide_all_records_anew(tx, sorted(event_ids)[start : start + _AT_A_TIME])


# Engines bound the parameters of one statement.
_AT_A_TIME = 1000
