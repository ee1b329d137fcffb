"""E-mails about a standing RSVP to a series: the dates, and one calendar file with their entries or cancellations."""

from collections.abc import Mapping, Sequence

from groundwork.clock import Instant
from groundwork.database.transaction import Database, Reader
from openmeet.domain.attendance import calendar_entries
from openmeet.domain.attendance import queries as attendance_queries
from openmeet.domain.attendance.calendar_entries import IN_CALENDAR
from openmeet.domain.attendance.model import Attendance
from openmeet.domain.attendance.visibility import seen_by
from openmeet.domain.events import time_and_place
from openmeet.domain.events.model import Event, EventId
from openmeet.domain.page_paths import series_path
from openmeet.domain.series import date_queries, queries
from openmeet.domain.series.model import SeriesId
from openmeet.domain.users.model import UserId
from openmeet.emails.calendar_file import file_of_dates
from openmeet.emails.render import EmailContext, subject_line, text_link, with_closing
from openmeet.emails.unsubscribe import addressee_of
from openmeet.i18n.catalogue import gettext, ngettext
from openmeet.i18n.markdown import one_line
from openmeet.outbox.emails import Composer, DueEmail, OutgoingEmail


def series_composer(site: EmailContext, *, is_end: bool) -> Composer:
    """Composer of ``SERIES_ANSWERED_MAIL``, or of ``SERIES_DECLINED_MAIL`` (``is_end``). Composes nothing if the
    standing RSVP has changed since.
    """

    async def compose(db: Database, due: DueEmail) -> OutgoingEmail | None:
        user_id = UserId(due.person)
        async with db.transaction() as tx:
            to = await addressee_of(tx, site, user_id)
            series = await queries.by_id(tx, SeriesId(due.subject_id))
            if to is None or series is None:
                return None
            now = tx.now
            dates, own_rsvps = await answered_dates(tx, series.id, user_id)
            attended = [one for one in dates if own_rsvps[one.id].status in IN_CALENDAR]
            if not (attended or is_end):
                return None
            not_attended = [one for one in dates if own_rsvps[one.id].status not in IN_CALENDAR]
            ended_ids = await calendar_entries.end_calendar_entries(
                tx, [own_rsvps[one.id].id for one in not_attended], due.message_id_local
            )
            ended = [one for one in not_attended if own_rsvps[one.id].id in ended_ids]
            calendar = await file_of_dates(tx, site, [] if is_end else attended, ended, user_id)
            if calendar is None:
                return None
            if not is_end:
                await calendar_entries.mark_calendar_entries_sent(tx, [own_rsvps[one.id].id for one in attended])
        title = one_line(series.content.title)
        page = f"{site.public_url}{series_path(series.slug)}"
        parts = (
            _end_paragraphs(title, ended, attended, page, now)
            if is_end
            else _going_paragraphs(title, attended, own_rsvps, page, now)
        )
        if is_end:
            subject = subject_line(gettext("You’re not going"), title)
        else:
            subject = subject_line(gettext("Your answers"), title)
        text = with_closing("\n\n".join(parts), to.closing)
        return OutgoingEmail(
            to.address, subject, text, unsubscribe_url=to.stop_url, calendar=calendar, thread=series.id
        )

    return compose


def _going_paragraphs(
    title: str, attended: Sequence[Event], own_rsvps: Mapping[EventId, Attendance], page: str, now: Instant
) -> list[str]:
    going = ngettext(
        "You’re going to one date of %(title)s:",
        "You’re going to %(number)s dates of %(title)s:",
        len(attended),
        title=title,
    )
    return [
        "\n".join([going, *(_date_line(one, own_rsvps[one.id], now) for one in attended)]),
        gettext("The attached file has an entry for each."),
        text_link(gettext("Change your answers, or stop going to later dates"), page),
    ]


def _end_paragraphs(
    title: str, ended: Sequence[Event], attended: Sequence[Event], page: str, now: Instant
) -> list[str]:
    """Paragraphs for the end of a standing RSVP. ``attended``: dates that the person still attends."""
    series = text_link(gettext("The series"), page)
    if not attended:
        end = gettext(
            "You’re no longer going to any date of %(title)s. The attached file removes them from your calendar.",
            title=title,
        )
        return [end, series]
    no_more = ngettext(
        "You’re no longer going to one date of %(title)s:",
        "You’re no longer going to %(number)s dates of %(title)s:",
        len(ended),
        title=title,
    )
    taken_out = ngettext(
        "The attached file removes it from your calendar.",
        "The attached file removes them from your calendar.",
        len(ended),
    )
    return ["\n".join([no_more, *(f"- {time_and_place.start_label(one, now)}" for one in ended)]), taken_out, series]


def _date_line(event: Event, own_rsvp: Attendance, now: Instant) -> str:
    when = time_and_place.start_label(event, now)
    return f"- {when}" if own_rsvp.is_seated else "- " + gettext("%(when)s (no place yet)", when=when)


# The most dates in one e-mail. Later e-mails have the later dates.
MAX_DATES = 60


async def answered_dates(
    reader: Reader, series_id: SeriesId, user_id: UserId
) -> tuple[list[Event], dict[EventId, Attendance]]:
    """The upcoming dates of a series that this person may see and has responded to, in order, and their RSVPs by event."""
    stored_dates = [one.event for one in await date_queries.stored(reader, series_id)]
    upcoming = [one for one in stored_dates if not (one.is_gone or one.is_cancelled or one.is_over(reader.now))]
    seen = await seen_by(reader, upcoming, user_id)
    own_rsvps = await attendance_queries.of_user(reader, user_id, [one.id for one in upcoming])
    return [one for one in upcoming if one.id in seen and one.id in own_rsvps][:MAX_DATES], own_rsvps


async def attended_dates(
    reader: Reader, event: Event, user_id: UserId
) -> tuple[list[Event], dict[EventId, Attendance]]:
    """The dates of this event's series that belong in the person's calendar, and their RSVPs by event.

    Returns all such dates, so that a repeated e-mail is the same.
    """
    if event.position_in_series is None:
        return [], {}
    dates, own_rsvps = await answered_dates(reader, SeriesId(event.position_in_series.series_id), user_id)
    return [one for one in dates if own_rsvps[one.id].status in IN_CALENDAR], own_rsvps
