"""The picture or face that represents a room.

This is the picture or face of the event, series or group. For a direct thread it is the face of the other person.
"""

from collections.abc import Collection, Mapping

from groundwork.database.transaction import Reader
from openmeet.domain.chat.addresses import RoomAddress
from openmeet.domain.chat.model import Room, RoomId, RoomKind
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.media.pictures import Size
from openmeet.domain.users.model import UserId
from openmeet.web.media.drawings import thumbnail
from openmeet.web.site.caller import saves_data
from openmeet.web.site.faces import Avatar, avatar_of, portraits_of


def group_picture(key: str | None, size: Size) -> str:
    """URL of a group’s picture; empty if it has none or the browser saves data."""
    return f"/media/{key}/{size}" if key and not saves_data() else ""


def room_picture(room: Room, address: RoomAddress) -> str:
    """URL of the picture of a room in lists; empty if the room is shown by its face."""
    # A direct thread is between people, so it has a face and no picture of the event.
    if room.kind is RoomKind.DIRECT:
        return ""
    if address.content is not None:
        return thumbnail(address.content, Size.SMALL_SQUARE)
    return group_picture(address.group_picture, Size.SMALL_SQUARE)


def other_side(with_user_id: UserId | None, host_id: UserId | None, viewer: UserId | None) -> UserId | None:
    """Return the person whom the viewer of a direct thread talks to: for the hosts, the person who asked; for that
    person, the host.

    Returns None for a person who asks the hosts of a group, because a group has several hosts.
    """
    return host_id if with_user_id == viewer else with_user_id


async def face_of_question(
    reader: Reader, viewer: UserId | None, with_user_id: UserId | None, host_id: UserId | None
) -> Avatar | None:
    """Return the face of the other person in a direct thread; None if the other side is a group."""
    person = other_side(with_user_id, host_id, viewer)
    return None if person is None else (await _faces_of(reader, viewer, [person]))[person]


async def faces_of(
    reader: Reader, viewer: UserId, rooms: Collection[Room], addresses: Mapping[RoomId, RoomAddress]
) -> dict[RoomId, Avatar]:
    """Return the face of each room. Rooms that are not in ``addresses`` are left out. The caller has checked that the
    viewer can read the rooms.
    """
    people = {
        room.id: person
        for room in rooms
        if room.kind is RoomKind.DIRECT
        and room.id in addresses
        and (person := other_side(room.with_user_id, addresses[room.id].host_id, viewer)) is not None
    }
    faces = await _faces_of(reader, viewer, people.values())
    return {
        room.id: faces[people[room.id]] if room.id in people else _face_of_subject(room, addresses[room.id])
        for room in rooms
        if room.id in addresses
    }


def _face_of_subject(room: Room, address: RoomAddress) -> Avatar:
    slug = address.path.split("?")[0].split("/")[-1 if room.kind in {RoomKind.DIRECT, RoomKind.HOSTS} else 2]
    return avatar_of(slug, address.title)


async def _faces_of(reader: Reader, viewer: UserId | None, people: Collection[UserId]) -> dict[UserId, Avatar]:
    names = await shown_names(reader, list(people))
    portraits = await portraits_of(reader, viewer, people)
    return {person: avatar_of(person, names[person], portraits) for person in people}
