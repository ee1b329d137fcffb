"""A site that collects the e-mails it sends."""

from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.dispatcher import run_once
from openmeet.emails.composers import composers
from openmeet.emails.render import EmailContext
from openmeet.outbox.emails import OutgoingEmail, email_handler
from openmeet.outbox.kinds import JobKind
from tests.openmeet.site_under_test import CODE_KEY, ORIGIN, Site


class MailingSite:
    """A site that collects the e-mails it sends."""

    def __init__(self, site: Site, language: str) -> None:
        self.site, self.sent = site, list[OutgoingEmail]()
        made = composers(EmailContext(CODE_KEY, "OpenMeet", ORIGIN, language))
        self._handler = email_handler(site.db, made, self._send)

    async def _send(self, email: OutgoingEmail, _: str) -> None:
        self.sent.append(email)

    async def subjects(self) -> dict[str, str]:
        """The subject of the newest e-mail to each address."""
        self.sent.clear()
        while await run_once(self.site.db, {JobKind.MAIL: one_job_per_call(self._handler)}):
            pass
        return {one.to: one.subject for one in self.sent}
