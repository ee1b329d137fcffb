"""What a link in a mail stops, in words and in fact."""

from collections.abc import Mapping
from typing import Final

from groundwork.database.transaction import Transaction
from openmeet.domain.notifications import notify, preferences
from openmeet.domain.notifications.links import Link
from openmeet.domain.notifications.model import Channel, Topic
from openmeet.domain.saved_searches import queries as searches
from openmeet.domain.saved_searches.queries import SearchId

# The subject of a link that stops the digest as a whole.
DIGEST: Final = "digest"
_SEARCH: Final = "search "
# That of a link which stops every mail to a guest, who has no page to choose on.
EVERYTHING: Final = "everything"

TOPIC_WORDS: Mapping[Topic, str] = {
    Topic.CHANGES: "changed and cancelled events",
    Topic.WAITLIST: "places that become free, and what hosts decide",
    Topic.REMINDERS: "what is coming up",
    Topic.NEW_DATES: "new dates of series you follow",
    Topic.ANSWERS: "answers to your events",
    Topic.MESSAGES: "messages of hosts",
    Topic.GROUP_EVENTS: "new events of your groups",
    Topic.ANNOUNCEMENTS: "what is announced in your groups",
    Topic.REQUESTS: "requests to get into groups that you run",
    Topic.MEMBERSHIP: "your place in groups",
    Topic.MENTIONS: "mentions of you",
    Topic.OWN_ANSWERS: "your own answers",
    Topic.HOSTS: "new events of people you follow",
    Topic.SEARCHES: "what is new and fits your searches",
}


def search_subject(search_id: str) -> str:
    """The subject of a link that stops one kept search."""
    return f"{_SEARCH}{search_id}"


def stopped_words(link: Link) -> str:
    """What the link is about: ``mail about …``, the digest, one kept search, or everything."""
    if link.subject.startswith(_SEARCH):
        return "news of one of your kept searches"
    if link.subject == EVERYTHING:
        return "all mail about what you answered"
    return "the daily digest" if link.subject == DIGEST else f"mail about {TOPIC_WORDS[Topic(link.subject)]}"


async def stop(tx: Transaction, link: Link) -> None:
    """Send no more of it; once more changes nothing."""
    if link.subject.startswith(_SEARCH):
        await searches.switch(tx, link.user_id, SearchId(link.subject.removeprefix(_SEARCH)), is_on=False)
    elif link.subject == EVERYTHING:
        by_mail = (Channel.EMAIL, Channel.DIGEST)
        await preferences.put(tx, link.user_id, {(topic, one): False for topic in Topic for one in by_mail})
    elif link.subject == DIGEST:
        await preferences.put(tx, link.user_id, {(topic, Channel.DIGEST): False for topic in Topic})
    else:
        await notify.stop_mail(tx, link.user_id, Topic(link.subject))
