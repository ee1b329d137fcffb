"""Feeds: the timeline, an author's own feed, an actor's likes.

A post is inserted into the page by time. Posts older than the end of the page belong to a later page, and posts newer
than the start of a later page were already shown.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from at_protocol.failures import Malformed
from at_protocol.syntax.datetime import parse_datetime
from aurora_locus.read_after_write.author import ViewingAccount
from aurora_locus.read_after_write.posts import parent_uri, post_view, root_uri
from aurora_locus.read_after_write.recent import RecentRecord, RecentWrites

Page = dict[str, Any]
Parameters = Mapping[str, str]


async def timeline(author: ViewingAccount, parameters: Parameters, page: Page, recent: RecentWrites) -> Page:
    """Complete ``app.bsky.feed.getTimeline``, which includes one's own posts."""
    return await _with_posts(author, parameters, _with_profile(author, page, recent), recent.posts)


async def author_feed(author: ViewingAccount, parameters: Parameters, page: Page, recent: RecentWrites) -> Page:
    """Complete the caller's own ``app.bsky.feed.getAuthorFeed``."""
    page = _with_profile(author, page, recent)
    if parameters.get("actor", "").lower() not in {author.did, author.handle}:
        return page
    passing_posts = [post for post in recent.posts if _passes(parameters.get("filter", ""), author, post)]
    return await _with_posts(author, parameters, page, passing_posts)


async def actor_likes(author: ViewingAccount, _parameters: Parameters, page: Page, recent: RecentWrites) -> Page:
    """Complete ``app.bsky.feed.getActorLikes``: update the caller's name and avatar."""
    return _with_profile(author, page, recent)


def _with_profile(author: ViewingAccount, page: Page, recent: RecentWrites) -> Page:
    if recent.profile is None:
        return page

    def renewed(item: dict[str, Any]) -> dict[str, Any]:
        post = item["post"]
        if post["author"]["did"] != author.did:
            return item
        return {**item, "post": {**post, "author": author.updated(post["author"])}}

    return {**page, "feed": [renewed(item) for item in page["feed"]]}


async def _with_posts(
    author: ViewingAccount, parameters: Parameters, page: Page, posts: Sequence[RecentRecord]
) -> Page:
    feed = list(page["feed"])
    uris_in_feed = {item["post"]["uri"] for item in feed}
    times = [_time(item) for item in feed if not _is_pinned(item)]
    # A page without a cursor is the last one, so everything older belongs to it.
    earliest = min(times, default=0) if "cursor" in page else 0
    latest = max(times, default=0) if parameters.get("cursor") else None
    for post in posts:
        if post.uri in uris_in_feed or post.at < earliest or (latest is not None and post.at > latest):
            continue
        place = next(
            (index for index, item in enumerate(feed) if not _is_pinned(item) and _time(item) < post.at), len(feed)
        )
        feed.insert(place, {"post": await post_view(author, post)})
    return {**page, "feed": feed}


def _is_pinned(item: Mapping[str, Any]) -> bool:
    reason = item.get("reason")
    return isinstance(reason, dict) and reason.get("$type") == "app.bsky.feed.defs#reasonPin"


def _time(item: Mapping[str, Any]) -> int:
    """Return the time by which the feed orders an item. For a repost, this is the time of the repost."""
    reason = item.get("reason")
    source = reason if isinstance(reason, dict) and "indexedAt" in reason else item["post"]
    try:
        return parse_datetime(source["indexedAt"])
    except Malformed:
        return 0


def _passes(feed_filter: str, author: ViewingAccount, post: RecentRecord) -> bool:
    """Whether the feed's filter includes the post."""
    parent = parent_uri(post)
    match feed_filter:
        case "posts_no_replies":
            return parent is None
        case "posts_and_author_threads":
            own_prefix = f"at://{author.did}/"
            return parent is None or (parent.startswith(own_prefix) and (root_uri(post) or "").startswith(own_prefix))
        case "posts_with_media":
            return _media(post) in {"app.bsky.embed.images", "app.bsky.embed.video", "app.bsky.embed.gallery"}
        case "posts_with_video":
            return _media(post) == "app.bsky.embed.video"
        case _:
            return True


def _media(post: RecentRecord) -> object:
    embed = post.value.get("embed")
    if isinstance(embed, dict) and isinstance(embed.get("media"), dict):
        embed = embed["media"]
    return embed.get("$type") if isinstance(embed, dict) else None
