"""What a link in a mail stops, in words and in fact."""

from collections.abc import Mapping
from typing import Final

from groundwork.database.transaction import Transaction
from openmeet.notifications import actions, preferences
from openmeet.notifications.links import Link
from openmeet.notifications.model import Channel, Topic

# The subject of a link that stops the digest as a whole.
DIGEST: Final = "digest"

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
}


def stopped_words(link: Link) -> str:
    """What the link is about: ``mail about …``, or the digest."""
    return "the daily digest" if link.subject == DIGEST else f"mail about {TOPIC_WORDS[Topic(link.subject)]}"


async def stop(tx: Transaction, link: Link) -> None:
    """Send no more of it; once more changes nothing."""
    if link.subject == DIGEST:
        await preferences.put(tx, link.user_id, {(topic, Channel.DIGEST): False for topic in Topic})
    else:
        await actions.stop_mail(tx, link.user_id, Topic(link.subject))
