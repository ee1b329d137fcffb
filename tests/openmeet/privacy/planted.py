"""Planted secrets and the viewers who may see them.

A secret is a word that occurs nowhere else (``Zqtitlezq``). Ana hosts. The guest goes to her public event and was
invited to the private one. The member is in her groups, without any role. The former member was in them too, answered
an event there, and was removed. The blocked person is in her groups and was invited to her events before she blocked
them (``withholding``).
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from enum import StrEnum

from groundwork.mail.address import EmailAddress
from groundwork.mail.contract import Sender
from groundwork.mail.folder import FolderMailbox
from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.dispatcher import run_once
from openmeet.domain.users.model import Caller
from openmeet.emails.composers import composers
from openmeet.emails.render import EmailContext
from openmeet.outbox.emails import email_handler
from openmeet.outbox.kinds import JobKind
from programs.outbox_dispatcher import sender
from tests.openmeet.site_under_test import CODE_KEY, ORIGIN, Site


class Viewer(StrEnum):
    """A kind of viewer."""

    NOBODY = "nobody"
    STRANGER = "stranger"
    MEMBER = "member"
    FORMER = "former"
    GUEST = "guest"
    BLOCKED = "blocked"
    HOST = "host"


NOBODY, STRANGER, MEMBER, FORMER, GUEST, BLOCKED, HOST = Viewer
EVERYBODY = frozenset(Viewer)
# A slug that does not exist.
ABSENT = "nothing-has-this-slug"


@dataclass
class Planted:
    """The planted secrets with their viewers, the viewers' tokens, and values for the parameters of URLs."""

    for_whom: dict[str, frozenset[Viewer]] = field(default_factory=dict)
    # The text to search for, by name, for secrets that are not words.
    marks: dict[str, str] = field(default_factory=dict)
    # the session of a browser, the token of a program
    tokens: dict[Viewer, tuple[str, str]] = field(default_factory=dict)
    callers: dict[Viewer, Caller] = field(default_factory=dict)
    # By the first segment of a path: one set of parameter values for each existing thing.
    addresses: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    # Anyone who has these slugs gets access, so only the viewers listed here visit them.
    told: dict[str, frozenset[Viewer]] = field(default_factory=dict)
    # Slugs of things that look absent to other viewers.
    hidden: set[str] = field(default_factory=set)
    # The secret URLs of personal calendars.
    feeds: dict[Viewer, str] = field(default_factory=dict)
    # The secret URLs of group calendars, for present and for former members.
    group_feeds: dict[Viewer, list[str]] = field(default_factory=dict)

    def secret(self, name: str, *for_whom: Viewer, host: bool = True) -> str:
        """Plant a new marked word. The host may see it too, unless ``host`` is false."""
        assert name.isalpha()
        assert name not in self.for_whom
        self.for_whom[name] = frozenset((HOST, *for_whom) if host else for_whom)
        return f"Zq{name}zq"

    def secret_number(self, name: str, number: str, *for_whom: Viewer) -> str:
        """Like ``secret`` for values that must be numbers. It has so many digits that it does not occur by chance."""
        assert len(number) >= 8
        self.secret(name, *for_whom)
        self.marks[name] = number
        return number

    def found_in(self, text: str) -> set[str]:
        """Return the secrets that occur in a text, ignoring case."""
        folded = text.casefold()
        # Every response is searched for about two hundred secrets, and most responses do not even contain their common
        # prefix.
        names = self.for_whom if "zq" in folded else self.marks
        return {name for name in names if self.marks.get(name, f"zq{name}zq") in folded}

    def meant_for(self, viewer: Viewer) -> set[str]:
        return {name for name, whom in self.for_whom.items() if viewer in whom}

    def known_to(self, viewer: Viewer, first_word: str) -> Iterator[dict[str, str]]:
        """The parameters that this viewer uses."""
        if first_word == "calendar" and viewer in self.feeds:
            yield {"token": self.feeds[viewer]}
        if first_word == "group-calendars":
            yield from ({"token": token} for token in self.group_feeds.get(viewer, []))
        for values in self.addresses.get(first_word, []):
            if viewer in self.told.get(values.get("slug", ""), EVERYBODY):
                yield values


SENDER = Sender("Town Events", EmailAddress("events@town.net"), EmailAddress("host@town.net"))


async def secrets_in_mails(site: Site, planted: Planted, folder) -> dict[str, set[str]]:
    """Send everything that is queued. Returns the secrets in the e-mails by address."""
    mailbox = FolderMailbox(folder, SENDER, site.clock)
    settings = site.app.state.services.settings
    handler = email_handler(
        site.db, composers(EmailContext(CODE_KEY, settings.site_name, settings.public_url)), sender(mailbox, ORIGIN)
    )
    while await run_once(site.db, {JobKind.MAIL: one_job_per_call(handler)}):
        pass
    found = defaultdict(set)
    for file in folder.glob("*.eml"):
        mail = message_from_bytes(file.read_bytes(), EmailMessage, policy=default)
        parts = [str(part.get_content()) for part in mail.walk() if not part.is_multipart()]
        # Calendar files fold long lines anywhere.
        text = "\n".join([*map(str, mail.values()), *parts]).replace("\r\n ", "").replace("\n ", "")
        found[str(mail["To"])] |= planted.found_in(text)
    return found
