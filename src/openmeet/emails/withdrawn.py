"""The letter after somebody has taken back that they come: it takes the entry out of the calendar that an earlier one had put there."""

from groundwork.database.transaction import Database
from openmeet.domain.attendance import notify
from openmeet.domain.attendance.notify import IN_CALENDAR
from openmeet.domain.attendance.queries import find as answer_of
from openmeet.domain.attendance.visibility import seen_by
from openmeet.domain.events.model import EventId
from openmeet.domain.events.queries import by_id as event_by_id
from openmeet.domain.users.model import UserId
from openmeet.emails.calendar_file import end_of
from openmeet.emails.notifications.items import when_words
from openmeet.emails.own import addressee_of
from openmeet.emails.render import Letterhead
from openmeet.i18n.markdown import one_line
from openmeet.outbox.emails import Composer, Due, Letter


def withdrawn_composer(head: Letterhead) -> Composer:
    """The composer of ``WITHDRAWN_MAIL``; says nothing when they come after all, or nobody does, or never had the entry by mail."""

    async def compose(db: Database, due: Due) -> Letter | None:
        user_id = UserId(due.person)
        async with db.transaction() as tx:
            to = await addressee_of(tx, head, user_id)
            event = await event_by_id(tx, EventId(due.subject_id))
            mine = None if event is None else await answer_of(tx, event.id, user_id)
            if to is None or event is None or mine is None or mine.status in IN_CALENDAR:
                return None
            if event.is_gone or event.is_cancelled or event.is_over(tx.now):
                return None
            if event.id not in await seen_by(tx, [event], user_id):
                return None
            if not await notify.end(tx, [mine.id], due.message_id_local):
                return None
            answer_url = await to.answer_url(tx, head, event.id)
            title = one_line(event.title)
            parts = [
                "You are not going. The file with this mail takes the entry out of your calendar.",
                f"{title}\n{when_words(event)}",
                f"Change your answer:\n{answer_url}",
                to.closing,
            ]
            calendar = await end_of(tx, head, event, mine)
        text = "\n\n".join(parts) + "\n"
        return Letter(to.address, f"You are not going: {title}", text, unsubscribe_url=to.stop_url, calendar=calendar)

    return compose
