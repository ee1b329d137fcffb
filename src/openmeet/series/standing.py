"""Standing answers: who goes to every date of a series goes to those, too, that come into being later.

Each date counts its own seats, by the one function that counts them; a full one puts them into its line, in the order in which they
said that they go to all.
"""

from collections.abc import Sequence

from groundwork.database.transaction import Transaction
from groundwork.errors import Forbidden, InvalidForm, NotFound, Refused
from openmeet.attendance import actions as attendance
from openmeet.attendance.model import Reply
from openmeet.events.model import Event
from openmeet.series import following
from openmeet.series.model import Series
from openmeet.users.model import Caller


async def go_to_new_dates(tx: Transaction, series: Series, made: Sequence[Event]) -> None:
    """Answer dates that were just stored for everybody who goes to all; who may not go there any more is left out."""
    if not made:
        return
    everybody = await following.going(tx, series.id)
    for event in made:
        for one in everybody:
            if event.capacity is not None and not one.with_limited:
                continue
            try:
                await attendance.answer(tx, Caller(one.user_id, ""), event.slug, Reply.GOING, tells_host=False)
            except (NotFound, Forbidden, Refused, InvalidForm):
                continue  # out of the group, or the date takes no such answer, or asks first: theirs to see on its page
