"""Plain names for the record types of well-known apps; the NSID follows in parentheses, because that is what is granted."""

from collections.abc import Mapping
from typing import Final

PLAIN_NAMES: Final[Mapping[str, str]] = {
    "app.bsky.actor.profile": "your profile",
    "app.bsky.actor.status": "your status",
    "app.bsky.feed.generator": "feeds that you offer",
    "app.bsky.feed.like": "your likes",
    "app.bsky.feed.post": "your posts",
    "app.bsky.feed.postgate": "rules for quoting your posts",
    "app.bsky.feed.repost": "your reposts",
    "app.bsky.feed.threadgate": "rules for replies to your posts",
    "app.bsky.graph.block": "whom you block",
    "app.bsky.graph.follow": "whom you follow",
    "app.bsky.graph.list": "your lists",
    "app.bsky.graph.listblock": "lists that you block",
    "app.bsky.graph.listitem": "who is on your lists",
    "app.bsky.graph.starterpack": "your starter packs",
    "app.bsky.graph.verification": "whom you verify",
    "chat.bsky.actor.declaration": "who may write to you",
    "community.lexicon.calendar.event": "your events",
    "community.lexicon.calendar.rsvp": "your answers to events",
}


def with_plain_name(collection: str) -> str:
    """``your events (community.lexicon.calendar.event)``; for others ``records of the kind org.example.note``."""
    plain = PLAIN_NAMES.get(collection)
    return f"records of the kind {collection}" if plain is None else f"{plain} ({collection})"
