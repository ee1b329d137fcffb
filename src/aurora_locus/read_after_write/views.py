"""Views of an app view with the caller's newest records: profiles, feeds, threads.

A post is inserted into the page of a feed by time. Posts older than the end of the page belong to a later page, and
posts newer than the start of a later page were already shown.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from at_protocol.failures import Malformed
from at_protocol.syntax.datetime import parse_datetime
from at_protocol.syntax.nsid import Nsid
from aurora_locus.read_after_write.author import ViewingAccount
from aurora_locus.read_after_write.posts import parent_uri, post_view, root_uri
from aurora_locus.read_after_write.recent import RecentRecord, RecentWrites

View = dict[str, Any]
Parameters = Mapping[str, str]

GET_POST_THREAD: Final = Nsid("app.bsky.feed.getPostThread")
_THREAD: Final = "app.bsky.feed.defs#threadViewPost"

_FROM_THE_RECORD = frozenset({"displayName", "pronouns", "avatar", "description", "website", "banner", "pinnedPost"})


async def profile(author: ViewingAccount, _parameters: Parameters, view: View, recent: RecentWrites) -> View:
    """Complete ``app.bsky.actor.getProfile`` with the caller's current profile."""
    return _renewed(author, view, recent)


async def profiles(author: ViewingAccount, _parameters: Parameters, response: View, recent: RecentWrites) -> View:
    """Complete ``app.bsky.actor.getProfiles`` with the caller's current profile."""
    return {**response, "profiles": [_renewed(author, view, recent) for view in response["profiles"]]}


def _renewed(author: ViewingAccount, view: View, recent: RecentWrites) -> View:
    if view["did"] != author.did:
        return view
    if recent.profile is not None:
        other_fields = {key: value for key, value in view.items() if key not in _FROM_THE_RECORD}
        view = {**other_fields, **author.shown_in_full}
    if recent.posts and "postsCount" in view:
        view = {**view, "postsCount": view["postsCount"] + len(recent.posts)}
    return view


async def timeline(author: ViewingAccount, parameters: Parameters, page: View, recent: RecentWrites) -> View:
    """Complete ``app.bsky.feed.getTimeline``, which includes one's own posts."""
    return await _with_posts(author, parameters, _with_profile(author, page, recent), recent.posts)


async def author_feed(author: ViewingAccount, parameters: Parameters, page: View, recent: RecentWrites) -> View:
    """Complete the caller's own ``app.bsky.feed.getAuthorFeed``."""
    page = _with_profile(author, page, recent)
    if parameters.get("actor", "").lower() not in {author.did, author.handle}:
        return page
    passing_posts = [post for post in recent.posts if _passes(parameters.get("filter", ""), author, post)]
    return await _with_posts(author, parameters, page, passing_posts)


async def actor_likes(author: ViewingAccount, _parameters: Parameters, page: View, recent: RecentWrites) -> View:
    """Complete ``app.bsky.feed.getActorLikes``: update the caller's name and avatar."""
    return _with_profile(author, page, recent)


def _with_profile(author: ViewingAccount, page: View, recent: RecentWrites) -> View:
    if recent.profile is None:
        return page

    def renewed(item: View) -> View:
        post = item["post"]
        if post["author"]["did"] != author.did:
            return item
        return {**item, "post": {**post, "author": author.updated(post["author"])}}

    return {**page, "feed": [renewed(item) for item in page["feed"]]}


async def _with_posts(
    author: ViewingAccount, parameters: Parameters, page: View, posts: Sequence[RecentRecord]
) -> View:
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


async def thread(author: ViewingAccount, parameters: Parameters, response: View, recent: RecentWrites) -> View:
    """Complete ``app.bsky.feed.getPostThread`` with the caller's replies, to the requested depth."""
    view = response["thread"]
    if view.get("$type") != _THREAD:
        return response
    depth = int(parameters.get("depth", "6"))
    # Oldest first, so that a reply to one's own reply finds that reply in the thread.
    for post in reversed(recent.posts):
        parent = parent_uri(post)
        if parent is not None:
            view = await _with_answer(author, view, parent, post, depth)
    return {**response, "thread": view}


async def missing_thread(author: ViewingAccount, parameters: Parameters, recent: RecentWrites) -> View | None:
    """Return the thread of a post of the caller that the app view does not have yet; None if it is not a recent post of
    theirs.
    """
    uri = parameters.get("uri", "").replace(f"at://{author.handle}/", f"at://{author.did}/", 1)
    post = next((one for one in recent.posts if one.uri == uri), None)
    if post is None:
        return None
    view: View = {"$type": _THREAD, "post": await post_view(author, post), "replies": []}
    parent = parent_uri(post)
    if parent is not None:
        height = parameters.get("parentHeight", "80")
        above = await author.ask(GET_POST_THREAD, {"uri": parent, "depth": "0", "parentHeight": height})
        if above is not None and isinstance(above.get("thread"), dict):
            view["parent"] = above["thread"]
        elif (own_parent := next((one for one in recent.posts if one.uri == parent), None)) is not None:
            view["parent"] = {"$type": _THREAD, "post": await post_view(author, own_parent)}
    return await thread(author, parameters, {"thread": view}, recent)


async def _with_answer(author: ViewingAccount, view: View, parent: str, post: RecentRecord, depth: int) -> View:
    if depth <= 0 or view.get("$type") != _THREAD:
        return view
    replies = view.get("replies", [])
    if view["post"]["uri"] != parent:
        below = [await _with_answer(author, reply, parent, post, depth - 1) for reply in replies]
        return {**view, "replies": below} if below else view
    if any(reply.get("post", {}).get("uri") == post.uri for reply in replies):
        return view
    own_reply = {"$type": _THREAD, "post": await post_view(author, post)}
    counted = {**view["post"], "replyCount": view["post"].get("replyCount", 0) + 1}
    return {**view, "post": counted, "replies": [own_reply, *replies]}


_Complete = Callable[[ViewingAccount, Parameters, View, RecentWrites], Awaitable[View]]

# Functions that complete the responses of these methods.
VIEWS: Final[Mapping[Nsid, _Complete]] = {
    Nsid("app.bsky.actor.getProfile"): profile,
    Nsid("app.bsky.actor.getProfiles"): profiles,
    Nsid("app.bsky.feed.getActorLikes"): actor_likes,
    Nsid("app.bsky.feed.getAuthorFeed"): author_feed,
    GET_POST_THREAD: thread,
    Nsid("app.bsky.feed.getTimeline"): timeline,
}
