"""Preview of an e-mail for the person who is about to send it."""

from dataclasses import dataclass

from groundwork.database.transaction import Reader
from openmeet.domain.calendars.queries import zone_of_person
from openmeet.domain.events.event_access import private_details_for
from openmeet.domain.events.model import Event
from openmeet.domain.events.time_and_place import lines_without_own_country
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.notifications import event_kinds
from openmeet.domain.notifications.event_kinds import HostMessageReceived
from openmeet.domain.page_paths import event_path
from openmeet.domain.users.model import UserId
from openmeet.emails.notifications import texts
from openmeet.emails.notifications.current_state import CurrentState
from openmeet.emails.notifications.email import Story, subject_of
from openmeet.i18n.catalogue import gettext
from openmeet.i18n.markdown import one_line


@dataclass(frozen=True, slots=True)
class EmailPreview:
    """The template context of the e-mail, and its subject."""

    subject: str
    story: Story


async def message_mail(
    reader: Reader, event: Event, writer: UserId, text: str, *, public_url: str, is_going: bool
) -> EmailPreview:
    """Preview of the e-mail with a host's message, as an attendee or a non-attendee gets it. The links in it do not
    work.
    """
    names = {user_id: one_line(name) for user_id, name in (await shown_names(reader, [writer])).items()}
    payload, state = HostMessageReceived(person_id=writer, text=text), CurrentState(writer, reader.now, event=event)
    seen = await private_details_for(reader, event, None, is_going=is_going)
    zone = await zone_of_person(reader, writer, event.time_zone)
    takes_place = not (event.is_cancelled or event.is_over(reader.now))
    page = f"{public_url}{event_path(event.slug)}"
    story = Story(
        event=event,
        title=one_line(event.title),
        points=[texts.point(event_kinds.HOST_MESSAGE, payload, state, names)],
        when=texts.when_label(event, reader.now),
        place=tuple(one_line(line) for line in lines_without_own_country(seen.place, zone)),
        point=None,
        url=page,
        entry_instructions=seen.entry_instructions if takes_place and is_going else "",
        join_url=seen.join_url if takes_place else "",
        answer_url=page if takes_place else "",
        answer_label=gettext("Change your answer"),
    )
    return EmailPreview(subject_of(story), story)
