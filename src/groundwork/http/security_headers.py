"""Security headers of responses. Scripts and styles must be files, because the policy forbids inline ones."""

from collections.abc import Mapping

# `form-action` also limits redirects after a form, so OAuth pages add the client's origin there.
_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "manifest-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}


def content_policy(**changes: str) -> str:
    """Return the text of the policy. ``content_policy(form_action="'self' https://app.example")`` replaces one
    directive.
    """
    policy = _POLICY | {name.replace("_", "-"): value for name, value in changes.items()}
    return "; ".join(f"{name} {value}" for name, value in policy.items())


# For every response of an API. With this policy, a JSON response that is opened in a browser can load and run nothing.
API_HEADERS: Mapping[str, str] = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
}


def page_headers(*, is_https: bool) -> dict[str, str]:
    """Return headers for every response of a server with pages. A header set by the route takes precedence."""
    headers = {
        "x-content-type-options": "nosniff",
        # Not "no-referrer", because browsers then send `Origin: null` with forms, and the CSRF check needs the origin.
        "referrer-policy": "same-origin",
        "content-security-policy": content_policy(),
        "x-frame-options": "DENY",
        "permissions-policy": "camera=(), microphone=(), payment=()",
    }
    if is_https:
        headers["strict-transport-security"] = "max-age=31536000"
    return headers
