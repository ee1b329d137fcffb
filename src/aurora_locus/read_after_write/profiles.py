"""The caller's profile as it was last saved."""

from collections.abc import Mapping
from typing import Any

from aurora_locus.read_after_write.author import ViewingAccount
from aurora_locus.read_after_write.recent import RecentWrites

_FROM_THE_RECORD = frozenset({"displayName", "pronouns", "avatar", "description", "website", "banner", "pinnedPost"})


async def profile(
    author: ViewingAccount, _parameters: Mapping[str, str], view: dict[str, Any], recent: RecentWrites
) -> dict[str, Any]:
    """Complete ``app.bsky.actor.getProfile`` with the caller's current profile."""
    return _renewed(author, view, recent)


async def profiles(
    author: ViewingAccount, _parameters: Mapping[str, str], response: dict[str, Any], recent: RecentWrites
) -> dict[str, Any]:
    """Complete ``app.bsky.actor.getProfiles`` with the caller's current profile."""
    return {**response, "profiles": [_renewed(author, view, recent) for view in response["profiles"]]}


def _renewed(author: ViewingAccount, view: dict[str, Any], recent: RecentWrites) -> dict[str, Any]:
    if view["did"] != author.did:
        return view
    if recent.profile is not None:
        other_fields = {key: value for key, value in view.items() if key not in _FROM_THE_RECORD}
        view = {**other_fields, **author.shown_in_full}
    if recent.posts and "postsCount" in view:
        view = {**view, "postsCount": view["postsCount"] + len(recent.posts)}
    return view
