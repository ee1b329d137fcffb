"""The last e-mail before an account is deleted. It says how long the deletion can be cancelled, and which records the
owner has to delete.
"""

from collections.abc import Sequence
from typing import Final

from groundwork.database.transaction import Database
from openmeet.domain.erasure import actions
from openmeet.domain.users import erasure_requests
from openmeet.domain.users.model import UserId
from openmeet.domain.users.queries import by_id
from openmeet.i18n.catalogue import gettext, ngettext
from openmeet.i18n.formatting import long_date
from openmeet.outbox.emails import Composer, DueEmail, OutgoingEmail, link

# A person may have thousands of records. The page where they can still be deleted lists all of them.
MOST_LISTED: Final = 50


def deletion_composer(site_name: str, public_url: str) -> Composer:
    """Composer of ``DELETION_MAIL``. Composes nothing if the person signed in and keeps the account, or has no address."""

    async def compose(db: Database, due: DueEmail) -> OutgoingEmail | None:
        async with db.reader() as reader:
            deletion_request = await erasure_requests.find(reader, UserId(due.person))
            person = await by_id(reader, UserId(due.person))
            undeleted = await actions.undeleted_records(reader, UserId(due.person))
        if (
            deletion_request is None
            or str(deletion_request.requested_at) != due.subject_id
            or person is None
            or person.email is None
        ):
            return None
        date = long_date(deletion_request.due_at)
        parts = [
            gettext(
                "You asked us to delete your account at %(site)s. That happens on %(date)s.", site=site_name, date=date
            ),
            link(gettext("To keep it, sign in before then"), f"{public_url}/sign-in"),
        ]
        if undeleted:
            parts.append(_records(undeleted))
        subject = gettext("Your account at %(site)s is deleted on %(date)s", site=site_name, date=date)
        return OutgoingEmail(person.email, subject, "\n\n".join(parts) + "\n")

    return compose


def _records(undeleted: Sequence[str]) -> str:
    """The records that are still on the person's account server, and how the person can delete them."""
    heading = ngettext(
        "Your account server still has this copy from this site. Until then, we keep trying to delete it. After "
        "that, only you can: open its address in an app that shows what’s in your account, and delete it there.",
        "Your account server still has these copies from this site. Until then, we keep trying to delete them. "
        "After that, only you can: open their addresses in an app that shows what’s in your account, and delete "
        "them there.",
        len(undeleted),
    )
    more = len(undeleted) - MOST_LISTED
    rest = [ngettext("And %(count)s more.", "And %(count)s more.", more, count=more)] if more > 0 else []
    return "\n".join([heading, "", *undeleted[:MOST_LISTED], *rest])
