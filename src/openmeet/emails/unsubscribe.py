"""Recipients of e-mails about their own RSVPs, and unsubscribe links with the e-mails that each link turns off."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from groundwork.database.transaction import Transaction
from openmeet.domain.chat import readers
from openmeet.domain.chat.model import RoomId
from openmeet.domain.events.model import EventId
from openmeet.domain.notifications import email_links, notify, preferences
from openmeet.domain.notifications.email_links import ROOM, EmailLink, LinkPurpose
from openmeet.domain.notifications.model import Channel, NotificationTopic, defaults_of
from openmeet.domain.saved_searches import queries as saved_search_queries
from openmeet.domain.saved_searches.queries import SearchId
from openmeet.domain.users import guests
from openmeet.domain.users import queries as user_queries
from openmeet.domain.users.model import UserId
from openmeet.emails.render import EmailContext, text_link
from openmeet.i18n.catalogue import LazyText, gettext, pgettext, plazy


@dataclass(frozen=True, slots=True)
class EmailRecipient:
    """The recipient of an e-mail about their own RSVP.

    ``closing``: the last lines of the e-mail, which say how to unsubscribe. ``stop_url``: the one-click unsubscribe URL
    (RFC 8058). ``time_zone``: the zone they chose, if any.
    """

    user_id: UserId
    address: str
    is_guest: bool
    stop_url: str
    closing: str
    time_zone: str | None

    async def answer_url(self, tx: Transaction, site: EmailContext, event_id: EventId) -> str:
        """The URL where they can change their RSVP without signing in."""
        return f"{site.public_url}/mail/answer/{await self._token(tx, site, event_id)}"

    async def ticket_url(self, tx: Transaction, site: EmailContext, event_id: EventId) -> str:
        """The URL of their ticket, which also works without signing in."""
        return f"{site.public_url}/mail/ticket/{await self._token(tx, site, event_id)}"

    async def _token(self, tx: Transaction, site: EmailContext, event_id: EventId) -> str:
        return await email_links.token_for(tx, site.key, EmailLink(self.user_id, LinkPurpose.ANSWER, event_id))


async def addressee_of(
    tx: Transaction, site: EmailContext, user_id: UserId, *, is_asked_for: bool = False
) -> EmailRecipient | None:
    """The recipient of an e-mail about their own RSVP. None if they have no address or have opted out of such e-mails.

    ``is_asked_for``: a guest has just confirmed an RSVP, and this e-mail has the only link to it.
    """
    guest, user = await guests.find(tx, user_id), await user_queries.by_id(tx, user_id)
    address = guest.email if guest else user.email if user else None
    channels_by_topic = await preferences.of_person(tx, user_id)
    if address is None or not (is_asked_for or Channel.EMAIL in channels_by_topic[NotificationTopic.OWN_ANSWERS]):
        return None
    # A guest has no preferences page, so they unsubscribe from everything.
    subject = EVERYTHING if guest else NotificationTopic.OWN_ANSWERS.value
    token = await email_links.token_for(tx, site.key, EmailLink(user_id, LinkPurpose.UNSUBSCRIBE, subject))
    stop_url = f"{site.public_url}/mail/stop/{token}"
    words = gettext("Stop e-mails about your answers") if guest else unsubscribe_label(NotificationTopic.OWN_ANSWERS)
    closing = text_link(words, stop_url)
    if guest is None:
        reason = gettext(
            "You’re getting this because you host, follow or answered something on %(site_name)s.",
            site_name=site.site_name,
        )
        choose = text_link(gettext("Choose your notifications"), f"{site.public_url}/settings/notifications")
        closing = f"{reason}\n\n{closing}\n\n{choose}"
    return EmailRecipient(user_id, address, guest is not None, stop_url, closing, user.time_zone if user else None)


# The topic in a link that turns off the whole digest.
DIGEST: Final = "digest"
_SEARCH: Final = "search "
# The topic in a link that turns off all e-mails to a guest, who has no preferences page.
EVERYTHING: Final = "everything"
# Topics of a guest's e-mails. The others keep their defaults, in case the guest signs up: a later host or member of
# groups must not miss their e-mails because of a click on "Stop e-mails about your answers".
_ABOUT_ANSWERS: Final = (
    NotificationTopic.CHANGES,
    NotificationTopic.WAITLIST,
    NotificationTopic.REMINDERS,
    NotificationTopic.MESSAGES,
    NotificationTopic.OWN_ANSWERS,
    NotificationTopic.CHAT,
    NotificationTopic.DIRECT,
    NotificationTopic.ROOMS,
    NotificationTopic.MENTIONS,
)

_TOPIC_LABELS: Mapping[NotificationTopic, LazyText] = {
    NotificationTopic.CHANGES: plazy("what e-mails are about", "changed and cancelled events"),
    NotificationTopic.WAITLIST: plazy("what e-mails are about", "free places, and what hosts decide"),
    NotificationTopic.REMINDERS: plazy("what e-mails are about", "upcoming events"),
    NotificationTopic.NEW_DATES: plazy("what e-mails are about", "new dates of series you follow"),
    NotificationTopic.ANSWERS: plazy("what e-mails are about", "answers to your events"),
    NotificationTopic.MESSAGES: plazy("what e-mails are about", "messages from hosts"),
    NotificationTopic.PHOTOS: plazy("what e-mails are about", "new photos"),
    NotificationTopic.GROUP_EVENTS: plazy("what e-mails are about", "new events of your groups"),
    NotificationTopic.ANNOUNCEMENTS: plazy("what e-mails are about", "announcements in your groups"),
    NotificationTopic.REQUESTS: plazy("what e-mails are about", "requests to join groups that you run"),
    NotificationTopic.MEMBERSHIP: plazy("what e-mails are about", "your role in groups"),
    NotificationTopic.MENTIONS: plazy("what e-mails are about", "mentions of you"),
    NotificationTopic.OWN_ANSWERS: plazy("what e-mails are about", "your own answers"),
    NotificationTopic.CHAT: plazy("what e-mails are about", "mentions and replies in chat"),
    NotificationTopic.DIRECT: plazy("what e-mails are about", "questions to hosts, and their answers"),
    NotificationTopic.ROOMS: plazy("what e-mails are about", "unread messages in chat"),
    NotificationTopic.HOSTS: plazy("what e-mails are about", "new events of people you follow"),
    NotificationTopic.SEARCHES: plazy("what e-mails are about", "new events that match your searches"),
    NotificationTopic.WEEK: plazy("what e-mails are about", "your week"),
}


def unsubscribe_label(topic: NotificationTopic) -> str:
    """The label of a link that unsubscribes from a topic."""
    return gettext("Stop e-mails about %(topic)s", topic=_TOPIC_LABELS[topic])


def search_subject(search_id: str) -> str:
    """The topic in a link that turns off one saved search."""
    return f"{_SEARCH}{search_id}"


def room_subject(room_id: str) -> str:
    """The topic in a link that mutes one chat."""
    return f"{ROOM}{room_id}"


def unsubscribed_topic(link: EmailLink) -> str:
    """The e-mails that the link turns off, in words: ``mail about …``, the digest, one saved search, one chat, or
    everything.
    """
    if link.subject.startswith(_SEARCH):
        return pgettext("what is stopped", "news from one of your saved searches")
    if link.subject.startswith(ROOM):
        return pgettext("what is stopped", "everything about one chat")
    if link.subject == EVERYTHING:
        return pgettext("what is stopped", "all e-mails about your answers")
    if link.subject == DIGEST:
        return pgettext("what is stopped", "the daily digest")
    return pgettext("what is stopped", "e-mails about %(topic)s", topic=_TOPIC_LABELS[NotificationTopic(link.subject)])


async def stop(tx: Transaction, link: EmailLink) -> None:
    """Unsubscribe the person from the e-mails that the link names; idempotent."""
    if link.subject.startswith(_SEARCH):
        await saved_search_queries.switch(tx, link.user_id, SearchId(link.subject.removeprefix(_SEARCH)), is_on=False)
    elif link.subject.startswith(ROOM):
        await readers.silence(tx, RoomId(link.subject.removeprefix(ROOM)), link.user_id)
    elif link.subject == DIGEST:
        await preferences.put(tx, link.user_id, {(topic, Channel.DIGEST): False for topic in NotificationTopic})
    elif link.subject == EVERYTHING:
        await preferences.put(tx, link.user_id, dict.fromkeys(_choices_of(link), False))
    else:
        await notify.stop_mail(tx, link.user_id, NotificationTopic(link.subject))


def can_resume(link: EmailLink) -> bool:
    """Whether ``resume`` can undo what the link turned off."""
    return link.subject != DIGEST and not link.subject.startswith((_SEARCH, ROOM))


async def resume(tx: Transaction, link: EmailLink) -> None:
    """Undo ``stop`` for a guest, who has no preferences page: the e-mails get their default setting again. Requires
    ``can_resume``.
    """
    choices = {(topic, channel): defaults_of(topic)[channel] for topic, channel in _choices_of(link)}
    await preferences.put(tx, link.user_id, choices)


def _choices_of(link: EmailLink) -> list[tuple[NotificationTopic, Channel]]:
    topics = _ABOUT_ANSWERS if link.subject == EVERYTHING else (NotificationTopic(link.subject),)
    return [(topic, channel) for topic in topics for channel in (Channel.EMAIL, Channel.DIGEST)]
