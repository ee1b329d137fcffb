"""Create users and edit profiles, with validation."""

import unicodedata
from collections.abc import Collection

import regex

from groundwork.database.transaction import Transaction
from groundwork.errors import Conflict, InvalidForm, NotFound, PreconditionFailed, Why
from groundwork.uuid7 import new_id
from openmeet.domain.users import guests, queries
from openmeet.domain.users.model import MAX_BIO, MAX_NAME, Profile, User, UserId, UserKind, UserReason
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import is_known
from openmeet.i18n.markdown import is_visible, name_line

# A host name with a top-level domain of letters, which is the syntax of handles, at the start of a name or after an @.
# A character before the @ means an e-mail address.
_HANDLE = r"((?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:xn--[a-z0-9-]+|[a-z]{2,}))"
_IS_HANDLE = regex.compile(f"@?{_HANDLE}")
_MENTIONS_HANDLE = regex.compile(rf"(?<![\w.+-])@{_HANDLE}")


def claims_handle_of_others(name: str, own_handles: Collection[str] = ()) -> bool:
    """Whether a name reads as the handle of another account: all of it, or a part after an @ (decision 0152)."""
    read_as = unicodedata.normalize("NFKC", name).casefold().strip()
    whole = _IS_HANDLE.fullmatch(read_as)
    claimed = {whole[1]} if whole else set(_MENTIONS_HANDLE.findall(read_as))
    return not claimed <= {handle.lower() for handle in own_handles}


def check_name(text: str, own_handles: Collection[str] = ()) -> str:
    """Validate a display name, and normalize it as ``name_line`` does. Raises InvalidForm (``display_name``)."""
    name = name_line(text)
    if not is_visible(name):
        raise InvalidForm({"display_name": UserReason.NAME_NEEDED})
    if len(name) > MAX_NAME:
        raise InvalidForm({"display_name": GeneralReason.NAME_TOO_LONG(most=MAX_NAME)})
    if claims_handle_of_others(name, own_handles):
        raise InvalidForm({"display_name": UserReason.NAME_IS_HANDLE})
    return name


def check_profile(
    *,
    display_name: str,
    bio: str,
    time_zone: str,
    known_zones: frozenset[str],
    shows_about: bool = False,
    shows_groups: bool = False,
    language: str = "",
    own_handles: Collection[str] = (),
) -> Profile:
    """Validate a profile. Raises InvalidForm with all invalid fields."""
    problems: dict[str, Why] = {}
    name = ""
    try:
        name = check_name(display_name, own_handles)
    except InvalidForm as wrong:
        problems |= wrong.problems
    text = bio.replace("\r\n", "\n").strip()
    if len(text) > MAX_BIO:
        problems["bio"] = GeneralReason.TEXT_TOO_LONG(most=MAX_BIO)
    if time_zone and time_zone not in known_zones:
        problems["time_zone"] = UserReason.UNKNOWN_ZONE
    if language and not is_known(language):
        problems["language"] = UserReason.UNKNOWN_LANGUAGE
    if problems:
        raise InvalidForm(problems)
    return Profile(name, text, time_zone or None, shows_about, shows_groups, language or None)


async def create_person(
    tx: Transaction, *, display_name: str = "", email: str | None = None, time_zone: str | None = None
) -> UserId:
    """Create a user who signed in. If the address already has a user, return that one; a guest with this address
    becomes the user.

    ``email`` must be in lower case and proven.
    """
    if email:
        await guests.lock_address(tx, email)
    guest = await guests.become_person(tx, email, display_name, time_zone) if email else None
    if guest is not None:
        return guest
    user_id = UserId(new_id(tx.now))
    if await queries.insert(tx, user_id, UserKind.PERSON, display_name=display_name, email=email, time_zone=time_zone):
        return user_id
    # Two codes of the same new user were confirmed at the same moment.
    user = await queries.by_email(tx, email or "")
    if user is None:
        raise Conflict(UserReason.EMAIL_IN_USE)
    return user.id


async def create_shadow(tx: Transaction, *, display_name: str = "") -> UserId:
    """Create a shadow account for somebody known only from the records of a DID: no e-mail address, no role, no
    sign-in.
    """
    user_id = UserId(new_id(tx.now))
    await queries.insert(tx, user_id, UserKind.SHADOW, display_name=display_name, email=None)
    return user_id


async def create_shadows(tx: Transaction, number: int) -> list[UserId]:
    """Create shadow accounts whose names are unknown."""
    made = [UserId(new_id(tx.now)) for _ in range(number)]
    await queries.insert_shadows(tx, made)
    return made


async def claim_shadow(tx: Transaction, user_id: UserId, *, display_name: str = "") -> bool:
    """Turn a shadow account into a person, because the owner of its DID signed in. False if it already is a person."""
    return await queries.claim(tx, user_id, display_name) == 1


async def blank_shadow(tx: Transaction, user_id: UserId) -> None:
    """Delete everything known about a shadow account. A person who has signed in does not change."""
    await queries.blank_shadow(tx, user_id)


async def set_time_zone(tx: Transaction, user_id: UserId, time_zone: str) -> None:
    """Replace only the time zone of the caller's profile."""
    await queries.set_time_zone(tx, user_id, time_zone)


async def choose_name(tx: Transaction, user_id: UserId, text: str, own_handles: Collection[str] = ()) -> None:
    """Replace only the name of a profile. Raises InvalidForm (``display_name``)."""
    name = check_name(text, own_handles)
    user = await queries.by_id(tx, user_id)
    if user is not None:
        profile = Profile(name, user.bio, user.time_zone, user.shows_about, user.shows_groups, user.language)
        await edit_profile(tx, user_id, profile)


async def edit_profile(
    tx: Transaction, user_id: UserId, profile: Profile, *, expected_revision: int | None = None
) -> User:
    """Replace the caller's own profile. Raises PreconditionFailed if it was edited since ``expected_revision``."""
    user = await queries.update_profile(tx, user_id, profile, expected_revision=expected_revision)
    if user is not None:
        return user
    if await queries.by_id(tx, user_id) is None:
        raise NotFound(GeneralReason.NO_SUCH_PERSON)
    raise PreconditionFailed(UserReason.CHANGED_SINCE_OPENED)
