"""Parse a list of people exported by Luma, Meetup, Eventbrite or others, with columns detected by name or chosen. Pure.

Luma's columns are ``api_id, name, first_name, last_name, email, …, approval_status``; Eventbrite's ``Order #, First
Name, Last Name, Email, …, Attendee Status``; Meetup's ``Name, User ID, Title, Event Host, RSVP, …``, separated by tabs
and without e-mail addresses. People without an address are listed by name and get no e-mail. Rows with the same address
are one person, and so are rows with the same name and no address.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping

from groundwork.errors import InvalidForm, InvalidInput, TooLarge
from openmeet.domain.imports.model import MAX_CSV, MAX_PEOPLE, Column, ContactList, ContactRow, ImportReason
from openmeet.domain.sign_in.model import check_email
from openmeet.domain.users.model import MAX_NAME
from openmeet.i18n.catalogue import gettext
from openmeet.i18n.formatting import number
from openmeet.i18n.markdown import one_line

MAX_FIELD = 10_000
_MAX_COLUMNS = 200

_NAMES: Mapping[Column, tuple[str, ...]] = {
    Column.EMAIL: (
        *("email", "email address", "e-mail", "e-mail address", "attendee email", "mail", "guest email"),
        *("e-mail-adresse", "email-adresse", "mailadresse"),
    ),
    Column.NAME: (
        *("name", "full name", "attendee name", "guest name", "member name", "display name"),
        *("vollständiger name", "vor- und nachname"),
    ),
    Column.FIRST_NAME: ("first name", "given name", "attendee first name", "firstname", "vorname"),
    Column.LAST_NAME: (
        *("last name", "surname", "family name", "attendee last name", "attendee surname", "lastname"),
        *("nachname", "familienname"),
    ),
    Column.STATUS: (
        *("approval status", "attendee status", "rsvp", "status", "registration status"),
        *("teilnahmestatus", "anmeldestatus", "antwort", "zusage"),
    ),
    Column.NOTE: (
        *("ticket name", "ticket type", "title", "note", "notes"),
        *("tickettyp", "ticketart", "notiz", "bemerkung"),
    ),
}
# Statuses of people who are not coming, in addition to those that contain one of ``_NO_WORDS``.
_NO = frozenset(
    {
        *("no", "not going", "not attending", "not coming", "deleted", "removed", "waiting", "waiting list"),
        *("nein", "kommt nicht", "nimmt nicht teil", "gelöscht", "entfernt", "wartet"),
    }
)
_NO_WORDS = (
    *("declin", "cancel", "waitlist", "wait list", "reject", "refund"),
    *("absage", "abgesagt", "abgelehnt", "storn", "warteliste", "erstattet"),
)
_WORD = re.compile(r"[\s_]+")


def parse_list(data: bytes, chosen_columns: Mapping[str, str] | None = None) -> ContactList:
    """Return the people in a list. ``chosen_columns`` maps meanings to columns and overrides detection. Raises
    InvalidInput, TooLarge.
    """
    if len(data) > MAX_CSV:
        raise TooLarge(ImportReason.LIST_TOO_LARGE, most=MAX_CSV // 1000000, length=len(data) // 1000000)
    warnings: list[str] = []
    table = _table(_decoded(data, warnings))
    try:
        header = tuple(one_line(name)[:200] for name in next(table, []))[:_MAX_COLUMNS]
    except csv.Error:
        header = ()
    if len([name for name in header if name]) < 1 or len(data) == 0:
        raise InvalidInput("file", ImportReason.NOT_A_LIST)
    columns = _columns(header, chosen_columns)
    if Column.EMAIL not in columns:
        warnings.append(
            gettext(
                "We found no column with e-mail addresses, so people are listed by name and won’t get an e-mail. If "
                "there is one, choose it below."
            )
        )
    rows = tuple(_rows(table, header, columns, warnings))
    return ContactList(_service(header), header, columns, rows, tuple(warnings))


def means_no(status: str) -> bool:
    """Whether this status means that the person is not coming. Such people are invited only if the host chooses to."""
    plain = _WORD.sub(" ", status.lower()).strip(" .")
    return plain in _NO or any(word in plain for word in _NO_WORDS)


def _decoded(data: bytes, warnings: list[str]) -> str:
    for encoding in ("utf-16",) if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else ("utf-8-sig",):
        try:
            return data.decode(encoding).replace("\x00", "")
        except UnicodeDecodeError:
            warnings.append(gettext("Some characters aren’t UTF-8. They were read as Windows-1252."))
    return data.decode("cp1252", errors="replace").replace("\x00", "")


def _table(text: str) -> Iterator[list[str]]:
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    csv.field_size_limit(MAX_FIELD * 10)
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def _columns(header: tuple[str, ...], chosen_columns: Mapping[str, str] | None) -> dict[Column, str]:
    columns: dict[Column, str] = {}
    plain = {_WORD.sub(" ", name.lower()).strip(): name for name in reversed(header) if name}
    for column, names in _NAMES.items():
        if chosen_columns and column.value in chosen_columns:
            if chosen_columns[column.value] in header and chosen_columns[column.value]:
                columns[column] = chosen_columns[column.value]
        else:
            guessed_column = next((plain[name] for name in names if name in plain), "")
            if guessed_column:
                columns[column] = guessed_column
    return columns


def _service(header: tuple[str, ...]) -> str:
    names = {_WORD.sub(" ", name.lower()).strip() for name in header}
    if {"api id", "approval status"} <= names:
        return "Luma"
    if "order #" in names or {"attendee #", "ticket type"} <= names:
        return "Eventbrite"
    if (
        "rsvped on" in names
        or {"joined group on", "user id"} <= names
        or {"member id", "last visited group on"} <= names
    ):
        return "Meetup"
    return ""


def _rows(
    table: Iterator[list[str]], header: tuple[str, ...], columns: Mapping[Column, str], warnings: list[str]
) -> Iterator[ContactRow]:
    places = {column: header.index(name) for column, name in columns.items()}
    seen: set[str] = set()
    line = 1
    while True:
        line += 1
        try:
            cells = next(table, None)
        except csv.Error as wrong:
            warnings.append(
                gettext("Line %(line)s can’t be read (%(error)s). Nothing after it was read.", line=line, error=wrong)
            )
            return
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue
        if line > MAX_PEOPLE + 1:
            warnings.append(gettext("We read only the first %(most)s lines.", most=number(MAX_PEOPLE)))
            return
        yield _row(line, cells, places, seen)


def _row(line: int, cells: list[str], places: Mapping[Column, int], seen: set[str]) -> ContactRow:
    parsed = {
        column: one_line(cells[place])[:MAX_FIELD] if place < len(cells) else "" for column, place in places.items()
    }
    both = " ".join(filter(None, (parsed.get(Column.FIRST_NAME, ""), parsed.get(Column.LAST_NAME, ""))))
    name = (parsed.get(Column.NAME, "") or both)[:MAX_NAME]
    email, problem = parsed.get(Column.EMAIL, ""), ""
    try:
        email = check_email(email) if email else ""
    except (InvalidForm, InvalidInput):
        problem = gettext("This isn’t an e-mail address.")
    # The @ distinguishes an e-mail address from a name.
    known_by = email or name
    if not known_by:
        problem = problem or gettext("There’s no e-mail address and no name.")
    elif not problem and known_by in seen:
        problem = gettext("This person is on the list twice.")
    seen.add(known_by)
    return ContactRow(
        line, name, email[:320], parsed.get(Column.STATUS, "")[:100], parsed.get(Column.NOTE, "")[:200], problem
    )
