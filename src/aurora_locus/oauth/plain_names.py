"""Plain names of apps, and of the record types of well-known ones."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

PLAIN_NAMES: Final[Mapping[str, str]] = {
    "app.bsky.actor.profile": "your profile",
    "app.bsky.actor.status": "your status",
    "app.bsky.feed.generator": "feeds that you offer",
    "app.bsky.feed.like": "your likes",
    "app.bsky.feed.post": "your posts",
    "app.bsky.feed.postgate": "rules for quoting your posts",
    "app.bsky.feed.repost": "your reposts",
    "app.bsky.feed.threadgate": "rules for replies to your posts",
    "app.bsky.graph.block": "who you block",
    "app.bsky.graph.follow": "who you follow",
    "app.bsky.graph.list": "your lists",
    "app.bsky.graph.listblock": "lists that you block",
    "app.bsky.graph.listitem": "who is on your lists",
    "app.bsky.graph.starterpack": "your starter packs",
    "app.bsky.graph.verification": "who you verify",
    "chat.bsky.actor.declaration": "who may write to you",
    "community.lexicon.calendar.event": "your events",
    "community.lexicon.calendar.rsvp": "your answers to events",
}


def plain_name(collection: str) -> str:
    """``your events``; for types that are not well known ``entries of the kind org.example.note``."""
    return PLAIN_NAMES.get(collection, f"entries of the kind {collection}")


def app_name(client_id: str, name: str | None) -> str:
    """What an app is called: the name that the operator trusts, else its host; for a local program that it is one."""
    if name:
        return name
    if client_id.startswith("http://localhost"):
        return "A program on this computer"
    return urlsplit(client_id).hostname or client_id
