"""The app view methods whose responses are completed, each with its function."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from at_protocol.syntax.nsid import Nsid
from aurora_locus.read_after_write import feeds, profiles, threads
from aurora_locus.read_after_write.author import ViewingAccount
from aurora_locus.read_after_write.recent import RecentWrites

Complete = Callable[[ViewingAccount, Mapping[str, str], dict[str, Any], RecentWrites], Awaitable[dict[str, Any]]]

VIEWS: Final[Mapping[Nsid, Complete]] = {
    Nsid("app.bsky.actor.getProfile"): profiles.profile,
    Nsid("app.bsky.actor.getProfiles"): profiles.profiles,
    Nsid("app.bsky.feed.getActorLikes"): feeds.actor_likes,
    Nsid("app.bsky.feed.getAuthorFeed"): feeds.author_feed,
    threads.NSID: threads.thread,
    Nsid("app.bsky.feed.getTimeline"): feeds.timeline,
}
