"""Addresses of the PDS's pages, by who may open them."""

from typing import Final

SIGNED_OUT_PAGES: Final = (
    "/",
    "/move-here",
    "/sign-in",
    "/sign-up",
    "/reset-password",
    "/reset-password/code",
    "/nowhere",
)
ACCOUNT_PAGES: Final = (
    "/account",
    "/account/app-passwords",
    "/account/apps",
    "/account/deactivate",
    "/account/delete",
    "/account/email",
    "/account/export",
    "/account/handle",
    "/account/move",
    "/account/password",
    "/account/records",
    "/account/records?q=nothing",
    "/account/recovery-key",
    "/account/security",
    "/account/security/passkey",
    "/account/sessions",
    "/confirm-email",
    "/sign-in/accounts",
    "/sign-in/again",
)
OPERATOR_PAGES = [
    "",
    "/accounts",
    "/reports",
    "/content",
    "/invites",
    "/relays",
    "/storage",
    "/audit",
    "/settings",
    "/operators",
]
