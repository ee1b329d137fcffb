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
from aurora_locus.i18n.sentences import mark
from aurora_locus.site.frame import FLASH_MESSAGES

FLASH_MESSAGES |= {
    "activated": mark("Your account is shown again."),
    "account_deleted": mark("The account is deleted."),
    "app_password_revoked": mark("Removed. Apps that use it are signed out within two hours."),
    "app_shut_out": mark("The app is removed. It can’t use your account any more."),
    "deactivated": mark("Your account is paused."),
    "email_changed": mark("Your address has been changed. Now confirm it."),
    "email_confirmed": mark("Your address is confirmed."),
    "handle_changed": mark("Your name has been changed."),
    "mail_sent": mark("An e-mail with a code is on its way. The code works for 15 minutes."),
    "move_begun": mark("The move has started. You can close this page. It goes on without you."),
    "move_finishing": mark("Your name is moving to the other server."),
    "move_given_up": mark("The move is stopped. Everything here is as before."),
    "password_changed": mark("Your password has been changed. You’re signed out everywhere else."),
    "recovery_key_set": mark("Your identity’s keys have been changed."),
    "signed_out_there": mark("Signed out."),
}


def routes() -> list[Route]:
    """Every route below ``/account`` in this package."""
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
