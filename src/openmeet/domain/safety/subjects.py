"""Which event, series, group or person is meant: by its address for whoever sees it, by its id for moderators."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never
from urllib.parse import quote

from groundwork.database.transaction import Reader
from groundwork.errors import NotFound
from openmeet.domain.attendance import queries as attendance
from openmeet.domain.attendance.rules import is_invited
from openmeet.domain.events import queries as events
from openmeet.domain.events import seeing, time_words
from openmeet.domain.events.model import Event, EventId, EventSlug
from openmeet.domain.groups import actions as group_actions
from openmeet.domain.groups import queries as groups
from openmeet.domain.groups.model import Group, GroupId, GroupSlug
from openmeet.domain.identities import queries as identities
from openmeet.domain.identities.names import shown_names
from openmeet.domain.moderation.model import Subject, Thing
from openmeet.domain.safety import knowing
from openmeet.domain.series import agenda
from openmeet.domain.series import queries as series
from openmeet.domain.series.model import Series, SeriesId, SeriesSlug
from openmeet.domain.users import queries as users
from openmeet.domain.users.model import UserId


@dataclass(frozen=True, slots=True)
class Meant:
    """One subject with what is shown of it. ``owner``: whose it is; of a person themselves. ``path``: its page, where there is one.

    ``group_id``: the group that it belongs to, or is. ``when`` and ``text`` are for moderators, who must see what they judge.
    """

    subject: Subject
    title: str
    path: str = ""
    owner: UserId | None = None
    owner_name: str = ""
    group_id: GroupId | None = None
    when: str = ""
    text: str = ""
    did: str = ""

    @property
    def is_there(self) -> bool:
        return bool(self.title)


async def by_address(reader: Reader, thing: Thing, address: str, viewer: UserId | None) -> Meant:
    """The thing at an address (slug; of a person the id), if this viewer sees it. Raises NotFound, for absent and hidden alike."""
    match thing:
        case Thing.EVENT:
            event = await events.by_slug(reader, EventSlug(address))
            mine = await attendance.find(reader, event.id, viewer) if event and viewer else None
            if (
                event is None
                or event.is_gone
                or not await seeing.may_see(reader, event, viewer, is_invited=is_invited(mine))
            ):
                raise NotFound("There is no such event.")
            meant = _of_event(event)
        case Thing.SERIES:
            meant = _of_series(await agenda.visible(reader, SeriesSlug(address), viewer))
        case Thing.GROUP:
            group, _ = await group_actions.visible(reader, GroupSlug(address), viewer)
            meant = _of_group(group)
        case Thing.PERSON:
            if not await knowing.may_know(reader, viewer, UserId(address)):
                raise NotFound("There is no such person.")
            meant = _of_person(UserId(address))
        case Thing.DID | Thing.HOST:
            raise NotFound("There is no such page.")
        case _:
            assert_never(thing)
    return (await _named(reader, [meant]))[0]


async def described(reader: Reader, subjects: Sequence[Subject]) -> dict[str, Meant]:
    """What moderators see of these, whoever else sees it; what is not there any more has no title."""
    found = {subject.id: Meant(subject, "") for subject in subjects}
    ids = {thing: [subject.id for subject in subjects if subject.thing is thing] for thing in Thing}
    for event in await events.several(reader, [EventId(one) for one in ids[Thing.EVENT]]):
        found[event.id] = _of_event(event)
    for series_id in ids[Thing.SERIES]:
        one = await series.by_id(reader, SeriesId(series_id))
        if one is not None:
            found[series_id] = _of_series(one)
    for group in (await groups.by_ids(reader, [GroupId(one) for one in ids[Thing.GROUP]])).values():
        found[group.id] = _of_group(group)
    for person in ids[Thing.PERSON]:
        if await users.by_id(reader, UserId(person)) is not None:
            found[person] = _of_person(UserId(person))
    for did in ids[Thing.DID]:
        identity = await identities.find(reader, did)
        handle = f"@{identity.handle}" if identity and identity.handle else did
        found[did] = Meant(Subject(Thing.DID, did), handle, owner=identity.user_id if identity else None, did=did)
    for host in ids[Thing.HOST]:
        found[host] = Meant(Subject(Thing.HOST, host), host)
    return {one.subject.id: one for one in await _named(reader, list(found.values()))}


async def _named(reader: Reader, found: list[Meant]) -> list[Meant]:
    names = await shown_names(reader, [one.owner for one in found if one.owner is not None])
    named = []
    for one in found:
        owner_name = names.get(one.owner, "") if one.owner else ""
        title = one.title or (owner_name if one.subject.thing is Thing.PERSON else "")
        named.append(
            Meant(
                one.subject,
                title,
                one.path,
                one.owner,
                owner_name,
                one.group_id,
                one.when,
                one.text,
                one.did,
            )
        )
    return named


def _of_event(event: Event) -> Meant:
    return Meant(
        Subject(Thing.EVENT, event.id),
        event.title or "Untitled",
        f"/events/{quote(event.slug)}",
        event.author_id,
        group_id=event.group.id if event.group else None,
        when=time_words.span_words(event),
        text=event.description,
        did=event.record_did or "",
    )


def _of_series(one: Series) -> Meant:
    return Meant(
        Subject(Thing.SERIES, one.id),
        one.template.title,
        f"/series/{quote(one.slug)}",
        one.owner_id,
        group_id=one.group.id if one.group else None,
        text=one.template.description,
    )


def _of_group(group: Group) -> Meant:
    return Meant(
        Subject(Thing.GROUP, group.id),
        group.details.name,
        f"/groups/{quote(group.slug)}",
        group.owner_id,
        group_id=group.id,
        text=group.details.description,
    )


def _of_person(person: UserId) -> Meant:
    return Meant(Subject(Thing.PERSON, person), "", owner=person)
