"""E-mails to visitors who reported something: the receipt, and the decision of the moderators.

Anybody can enter the address of somebody else. So these e-mails contain nothing that the reporter wrote, and neither the
name nor the address of what was reported.
"""

from groundwork.database.transaction import Database
from openmeet.domain.moderation import reports
from openmeet.domain.moderation.model import ModeratedKind, ReportId, ReportOutcome
from openmeet.emails.render import EmailContext, opt_out_lines, with_closing
from openmeet.i18n.catalogue import gettext, lazy
from openmeet.i18n.formatting import long_date
from openmeet.outbox import email_suppressions
from openmeet.outbox.emails import Composer, DueEmail, OutgoingEmail

_REPORTED = {
    ModeratedKind.EVENT: lazy("You reported an event on %(site)s on %(date)s."),
    ModeratedKind.SERIES: lazy("You reported a series on %(site)s on %(date)s."),
    ModeratedKind.GROUP: lazy("You reported a group on %(site)s on %(date)s."),
    ModeratedKind.PERSON: lazy("You reported a person on %(site)s on %(date)s."),
    ModeratedKind.PHOTO: lazy("You reported a photo on %(site)s on %(date)s."),
}


def report_composer(site: EmailContext, *, is_decision: bool) -> Composer:
    """Composer of ``REPORT_RECEIVED_MAIL`` or, with ``is_decision``, of ``REPORT_DECIDED_MAIL``.

    Composes nothing if the address was deleted or has opted out, or if the report is already decided (receipt) or open
    again (decision).
    """

    async def compose(db: Database, due: DueEmail) -> OutgoingEmail | None:
        async with db.reader() as reader:
            to = await reports.address_of(reader, ReportId(due.subject_id))
            if to is None or (to.report.outcome is not None) is not is_decision:
                return None
            if await email_suppressions.is_suppressed(reader, site.key, to.email):
                return None
        reported = _REPORTED[to.report.subject.kind].filled(site=site.site_name, date=long_date(to.report.created_at))
        if to.report.outcome is None:
            subject = gettext("We got your report")
            text = gettext("The moderators will look at it. We’ll write once more, with their decision.")
        elif to.report.outcome is ReportOutcome.ACTED:
            subject = gettext("We acted on your report")
            text = gettext("A moderator agreed and acted on it. Thank you for telling us.")
        else:
            subject = gettext("Your report was checked")
            text = gettext(
                "A moderator found nothing against the rules. If you know more, report it again on its page."
            )
        mistyped = gettext(
            "If you reported nothing on %(site)s, somebody mistyped their address. You don’t need to do anything.",
            site=site.site_name,
        )
        never = email_suppressions.url_of(site.key, site.public_url, to.email)
        body = with_closing(f"{reported} {text}", f"{mistyped}\n\n{opt_out_lines(never)}")
        return OutgoingEmail(to.email, subject, body, unsubscribe_url=never, thread=to.report.id)

    return compose
