"""All routes of the account pages, and the texts of their flash messages."""

from starlette.routing import Route

from aurora_locus.accounts.email_tokens import LIFETIME
from aurora_locus.i18n.sentences import gettext_noop, localizable
from aurora_locus.web.account_pages import (
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
from aurora_locus.web.site.frame import FLASH_MESSAGES
from groundwork.clock import MINUTE

FLASH_MESSAGES |= {
    "activated": gettext_noop("Your account is shown again."),
    "account_deleted": gettext_noop("The account is deleted."),
    "app_password_revoked": gettext_noop("Removed. Apps that use it are signed out within two hours."),
    "app_shut_out": gettext_noop("The app is removed. It can’t use your account any more."),
    "deactivated": gettext_noop("Your account is paused."),
    "email_changed": gettext_noop("Your address has been changed. Now confirm it."),
    "email_confirmed": gettext_noop("Your address is confirmed."),
    "handle_changed": gettext_noop("Your name has been changed."),
    "mail_sent": localizable(
        "An e-mail with a code is on its way. The code works for %(minutes)s minutes.", minutes=LIFETIME // MINUTE
    ),
    "move_begun": gettext_noop("The move has started. You can close this page. It goes on without you."),
    "move_finishing": gettext_noop("Your name is moving to the other server."),
    "move_cancelled": gettext_noop("The move is stopped. Everything here is as before."),
    "password_changed": gettext_noop("Your password has been changed. You’re signed out everywhere else."),
    "recovery_key_set": gettext_noop("Your identity’s keys have been changed."),
    "signed_out_there": gettext_noop("Signed out."),
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
