"""Lifetimes of sessions and tokens (atproto OAuth specification, "Tokens and Session Lifetime"; some are shorter than
it allows).

A public client cannot authenticate, so its sessions are short, no matter how often they are refreshed.
"""

from aurora_locus.oauth.access_tokens import LIFETIME
from groundwork.clock import DAY, Instant

PUBLIC_SESSION = 14 * DAY
PUBLIC_REFRESH = 14 * DAY
CONFIDENTIAL_SESSION = 2 * 365 * DAY
CONFIDENTIAL_REFRESH = 90 * DAY


def session_ends(created_at: Instant, *, is_confidential: bool, may_refresh: bool) -> Instant:
    """Return the absolute end of the session."""
    if not may_refresh:
        return Instant(created_at + LIFETIME)
    return Instant(created_at + (CONFIDENTIAL_SESSION if is_confidential else PUBLIC_SESSION))


def refresh_ends(now: Instant, ends_at: Instant, *, is_confidential: bool) -> Instant:
    """Return the expiry of a refresh token issued now."""
    return min(Instant(now + (CONFIDENTIAL_REFRESH if is_confidential else PUBLIC_REFRESH)), ends_at)


def access_ends(now: Instant, ends_at: Instant) -> Instant:
    """Return the expiry of an access token issued now."""
    return min(Instant(now + LIFETIME), ends_at)
