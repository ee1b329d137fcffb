"""Plain names of apps, and of well-known record types."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from at_protocol.oauth.client_id import ClientId, is_localhost, localhost_parameters
from aurora_locus.i18n.catalogue import LazyText, gettext, lazy, plazy

# Used as the object of "create", "change" and "delete".
PLAIN_NAMES: Final[Mapping[str, LazyText]] = {
    "app.bsky.actor.profile": plazy("what an app changes", "your profile"),
    "app.bsky.actor.status": plazy("what an app changes", "your status"),
    "app.bsky.feed.generator": plazy("what an app changes", "feeds that you offer"),
    "app.bsky.feed.like": plazy("what an app changes", "your likes"),
    "app.bsky.feed.post": plazy("what an app changes", "your posts"),
    "app.bsky.feed.postgate": plazy("what an app changes", "rules for quoting your posts"),
    "app.bsky.feed.repost": plazy("what an app changes", "your reposts"),
    "app.bsky.feed.threadgate": plazy("what an app changes", "rules for replies to your posts"),
    "app.bsky.graph.block": plazy("what an app changes", "your blocks"),
    "app.bsky.graph.follow": plazy("what an app changes", "your follows"),
    "app.bsky.graph.list": plazy("what an app changes", "your lists"),
    "app.bsky.graph.listblock": plazy("what an app changes", "your blocks of lists"),
    "app.bsky.graph.listitem": plazy("what an app changes", "entries in your lists"),
    "app.bsky.graph.starterpack": plazy("what an app changes", "your starter packs"),
    "app.bsky.graph.verification": plazy("what an app changes", "your verifications"),
    "chat.bsky.actor.declaration": plazy("what an app changes", "your rules for private messages"),
    "community.lexicon.calendar.event": plazy("what an app changes", "your events"),
    "community.lexicon.calendar.rsvp": plazy("what an app changes", "your answers to events"),
}

# Used as a heading or as the name of a row.
KINDS: Final[Mapping[str, LazyText]] = {
    "app.bsky.actor.profile": lazy("Your profile"),
    "app.bsky.actor.status": lazy("Your status"),
    "app.bsky.feed.generator": lazy("Feeds that you offer"),
    "app.bsky.feed.like": lazy("Your likes"),
    "app.bsky.feed.post": lazy("Your posts"),
    "app.bsky.feed.postgate": lazy("Rules for quoting your posts"),
    "app.bsky.feed.repost": lazy("Your reposts"),
    "app.bsky.feed.threadgate": lazy("Rules for replies to your posts"),
    "app.bsky.graph.block": lazy("Who you block"),
    "app.bsky.graph.follow": lazy("Who you follow"),
    "app.bsky.graph.list": lazy("Your lists"),
    "app.bsky.graph.listblock": lazy("Lists that you block"),
    "app.bsky.graph.listitem": lazy("Who is on your lists"),
    "app.bsky.graph.starterpack": lazy("Your starter packs"),
    "app.bsky.graph.verification": lazy("Who you verify"),
    "chat.bsky.actor.declaration": lazy("Who can message you"),
    "community.lexicon.calendar.event": lazy("Your events"),
    "community.lexicon.calendar.rsvp": lazy("Your answers to events"),
}


def plain_name(collection: str) -> str:
    """Return a plain name for the records of a collection: ``your events``, or ``entries of the kind org.example.note``
    if the type is not well known.
    """
    name = PLAIN_NAMES.get(collection)
    return gettext("entries of the kind %(kind)s", kind=collection) if name is None else str(name)


def app_name(client_id: str, name: str | None) -> str:
    """Return the name of an app: the one that the operator trusts, otherwise its host. A program on the user's own
    computer is named by the address at which it answers.
    """
    if name:
        return name
    if not is_localhost(client_id):
        return urlsplit(client_id).hostname or client_id
    redirect_uris, _ = localhost_parameters(ClientId(client_id))
    if not redirect_uris:
        return gettext("A program on this computer")
    return gettext("Program at %(address)s", address=urlsplit(redirect_uris[0]).netloc)
