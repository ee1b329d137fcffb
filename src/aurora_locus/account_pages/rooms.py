"""All routes of the account pages, and the texts of their flash messages."""

from starlette.routing import Route

from aurora_locus.account_pages import (
    app_passwords,
    apps,
    closing,
    devices,
    email_address,
    export,
    handle,
    move,
    overview,
    password,
    records,
    recovery_key,
)
from aurora_locus.site.frame import SAID

SAID |= {
    "activated": "Your account is shown again.",
    "account_deleted": "The account is deleted.",
    "app_password_revoked": "Revoked. Apps that use it are signed out within two hours.",
    "app_shut_out": "The app is shut out.",
    "deactivated": "Your account is hidden.",
    "email_changed": "Your address is changed. Confirm it next.",
    "email_confirmed": "Your address is confirmed.",
    "handle_changed": "Your handle is changed.",
    "mail_sent": "A mail with a code is on its way. The code works for fifteen minutes.",
    "move_begun": "It has begun. You may close this page: it goes on by itself.",
    "move_finishing": "Your identity is being changed.",
    "move_given_up": "The move is given up. Everything here is as it was.",
    "password_changed": "Your password is changed. Every other session has ended.",
    "recovery_key_set": "The keys of your identity are changed.",
    "signed_out_there": "Signed out.",
}


def routes() -> list[Route]:
    """Every page below ``/account`` in this package."""
    parts = (
        overview,
        handle,
        email_address,
        password,
        devices,
        app_passwords,
        apps,
        records,
        export,
        recovery_key,
        move,
        closing,
    )
    return [route for part in parts for route in part.routes()]
