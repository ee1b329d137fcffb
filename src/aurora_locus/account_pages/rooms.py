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
from aurora_locus.site.frame import FLASH_MESSAGES

FLASH_MESSAGES |= {
    "activated": "Your account is shown again.",
    "account_deleted": "The account is deleted.",
    "app_password_revoked": "Removed. Apps that use it are signed out within two hours.",
    "app_shut_out": "The app is removed. It can’t use your account any more.",
    "deactivated": "Your account is paused.",
    "email_changed": "Your address is changed. Confirm it next.",
    "email_confirmed": "Your address is confirmed.",
    "handle_changed": "Your name is changed.",
    "mail_sent": "An e-mail with a code is on its way. The code works for 15 minutes.",
    "move_begun": "The move has started. You can close this page, it goes on.",
    "move_finishing": "Your name is moving to the other server.",
    "move_given_up": "The move is stopped. Everything here is as before.",
    "password_changed": "Your password is changed. You’re signed out everywhere else.",
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
