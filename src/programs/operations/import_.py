"""Import what ``openmeet export`` wrote (``openmeet import``)."""

from pathlib import Path
from typing import Any, Final

import msgspec

from groundwork.errors import InvalidInput
from openmeet.domain.data_export.person import import_document
from openmeet.domain.data_export.tenant import lines_of, load
from programs.command_line import say
from programs.platform import Platform, run_on_platform
from programs.platform_settings import community_named, read_installation_settings
from programs.running import run_command

# One person's document is read into memory as a whole.
MAX_DOCUMENT = 500_000_000

# Messages about items that were imported incompletely, and the reasons why items were skipped. docs/importing.md
# explains both.
_LET_GO: Final = {
    "pictures": "imported without their picture: the file lists the URL of each picture under `pictures`",
    "records": "imported without their record, because this person has not signed in here with its repository",
    "groups of events": (
        "imported without their group and made private, because this person may not create events in it here"
    ),
}
_WHY: Final = {
    "attendances": (
        "the event is unknown here, over, or hidden from this person, or the RSVP lacks an answer that the host "
        "requires"
    ),
    "event_series_followers": "the series is unknown here, or hidden from this person",
    "event_series_standing_rsvps": "the series is unknown here, or hidden from this person",
    "group_members": "the group is unknown here, or by invitation only; roles are never imported",
    "group_followers": "the group is unknown here, or hidden from this person",
    "profile_followers": "the followed person is unknown here, or one of the two has blocked the other",
}


def import_file(source: Path, tenant: str, settings_file: Path | None) -> None:
    """Import a whole site (into an empty database) or one person's data, depending on the file."""
    person = _person_in(source)
    if person is None:
        _import_site(source, tenant, settings_file)
        return

    async def act(platform: Platform) -> None:
        taken, left = await import_document(platform.db, person)
        say(", ".join(f"{count:,} {table}" for table, count in taken.items() if count))
        for what, count in left.items():
            if count and what in _LET_GO:
                say(f"{count:,} {_LET_GO[what]}")
            elif count:
                say(f"not imported: {count:,} of {what}: {_WHY.get(what, 'they refer to rows that are unknown here')}")

    run_on_platform(settings_file, tenant, act)


def _import_site(source: Path, tenant: str, settings_file: Path | None) -> None:
    settings = community_named(read_installation_settings(settings_file, sends_mail=False), tenant)
    url, schema = settings.tenant_database_url, settings.database_schema

    async def act() -> None:
        settings.data_directory.mkdir(parents=True, exist_ok=True)
        counts = await load(lines_of(source), url, schema, lambda _table, _rows: None)
        say(f"{sum(counts.values()):,} rows in {len(counts)} tables. People sign in again; start the site as usual.")

    run_command(act)


def _person_in(source: Path) -> dict[str, Any] | None:
    """The parsed document if the file contains one person's data; None if it contains a site's lines. Only the
    beginning is read in that case.
    """
    with source.open("rb") as file:
        beginning = file.read(300)
        if b'"kind":"tenant"' in beginning.replace(b" ", b""):
            return None
        text = beginning + file.read(MAX_DOCUMENT)
        if file.read(1):
            raise InvalidInput(
                "file", f"The file is larger than {MAX_DOCUMENT // 1_000_000} MB, so it is no person's export."
            )
    try:
        document = msgspec.json.decode(text)
    except msgspec.DecodeError:
        document = None
    if not isinstance(document, dict):
        raise InvalidInput("file", "This is not an export.")
    return document
