"""The letter to whoever goes to every date of a series: the dates, and one file with an entry for each; or with the end of each."""

from urllib.parse import quote

from groundwork.database.transaction import Database
from openmeet.attendance import queries as attendance
from openmeet.attendance.model import Attendance
from openmeet.attendance.seeing import seen_by
from openmeet.debts.deliveries import Composer, Due, Letter
from openmeet.events import moments
from openmeet.events.model import Event
from openmeet.letters.entries import IN_CALENDAR, file_of_dates
from openmeet.letters.letterhead import Letterhead
from openmeet.letters.own import addressee_of
from openmeet.series import queries
from openmeet.series.model import SeriesId
from openmeet.site.texts import one_line
from openmeet.users.model import UserId

# A window has no more; what lies behind is in later letters.
_MOST = 60


def series_composer(head: Letterhead, *, is_end: bool) -> Composer:
    """The composer of ``SERIES_ANSWERED_MAIL``, and (``is_end``) of ``SERIES_WITHDRAWN_MAIL``; says nothing when it is otherwise now."""

    async def compose(db: Database, due: Due) -> Letter | None:
        user_id = UserId(due.person)
        async with db.transaction() as tx:
            to = await addressee_of(tx, head, user_id)
            series = await queries.by_id(tx, SeriesId(due.subject_id))
            if to is None or series is None:
                return None
            held = [one.event for one in await queries.stored(tx, series.id)]
            coming = [one for one in held if not (one.is_gone or one.is_cancelled or one.is_over(tx.now))]
            seen = await seen_by(tx, coming, user_id)
            mine = await attendance.of_user(tx, user_id, [one.id for one in coming])
            dates = [one for one in coming if one.id in seen and one.id in mine][:_MOST]
            goes = [one for one in dates if mine[one.id].status in IN_CALENDAR]
            if is_end is bool(goes):
                return None
            calendar = await file_of_dates(tx, head, dates, user_id)
            if calendar is None:
                return None
        title = one_line(series.template.title)
        page = f"{head.public_url}/series/{quote(series.slug)}"
        if is_end:
            what = f"You go to no date of {title} any more. The file with this mail takes them out of your calendar."
            parts = [what, f"The series:\n{page}"]
        else:
            lines = [_line(one, mine[one.id]) for one in goes]
            what = f"You are going to {'one date' if len(goes) == 1 else f'{len(goes)} dates'} of {title}:"
            parts = [
                f"{what}\n" + "\n".join(lines),
                "The file with this mail has an entry for each.",
                f"Change your answers, or stop going to later dates:\n{page}",
            ]
        subject = f"You are not going: {title}" if is_end else f"Your answers: {title}"
        text = "\n\n".join([*parts, to.closing]) + "\n"
        return Letter(to.address, subject, text, unsubscribe_url=to.stop_url, calendar=calendar)

    return compose


def _line(event: Event, mine: Attendance) -> str:
    return f"- {moments.start_words(event)}" + ("" if mine.is_seated else " (no place yet)")
