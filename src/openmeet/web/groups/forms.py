"""Convert group forms and API input to ``GroupDetails``, with validation errors."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Final

from groundwork.errors import InvalidForm, Why
from openmeet.domain.groups.model import (
    MAX_ADDRESS,
    MAX_DESCRIPTION,
    MAX_NAME,
    MAX_PLACE,
    MAX_QUESTION,
    Group,
    GroupDetails,
    GroupVisibility,
    JoinPolicy,
    PromotionLevel,
)
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.validation import GeneralReason, choice
from openmeet.i18n.countries import known_code
from openmeet.i18n.markdown import is_visible, one_line
from openmeet.recurrence import wall_time

# For the ``maxlength`` of inputs.
LENGTHS: Final = {
    "name": MAX_NAME,
    "description": MAX_DESCRIPTION,
    "locality": MAX_PLACE,
    "country": MAX_PLACE,
    "join_question": MAX_QUESTION,
    "address": MAX_ADDRESS,
}


@dataclass(frozen=True, slots=True)
class GroupSubmission:
    """The raw values of a group form. They are text, so that nothing typed is lost if something is invalid."""

    name: str = ""
    description: str = ""
    locality: str = ""
    country: str = ""
    time_zone: str = ""
    join_policy: str = JoinPolicy.OPEN.value
    join_question: str = ""
    visibility: str = GroupVisibility.PUBLIC.value
    promotion_level: str = PromotionLevel.PUBLIC.value
    sync_enabled: str = ""
    announces_events: str = ""


# The value of a selected checkbox.
ON = "on"

TICKS = ("sync_enabled", "announces_events")

FIELDS = tuple(field.name for field in fields(GroupSubmission))


def submission_of(form: Mapping[str, str]) -> GroupSubmission:
    """The submitted form. Missing fields get their default value, unknown ones are ignored."""
    return GroupSubmission(**{name: form[name] for name in FIELDS if name in form})


def values_of(submission: GroupSubmission) -> dict[str, str]:
    """The form's values for a submission."""
    return asdict(submission)


def values_of_group(group: Group) -> dict[str, str]:
    """The form's values for an existing group."""
    texts = {name: str(getattr(group.details, name)) for name in FIELDS}
    return texts | {name: ON if getattr(group.details, name) else "" for name in TICKS}


def check(submission: GroupSubmission) -> GroupDetails:
    """Validate the submission. InvalidForm lists every invalid field."""
    problems: dict[str, Why] = {}
    name = one_line(submission.name)
    if not is_visible(name):
        problems["name"] = GroupReason.NAME_NEEDED
    elif len(name) > MAX_NAME:
        problems["name"] = GroupReason.NAME_TOO_LONG(most=MAX_NAME, length=len(name))
    description = submission.description.replace("\r\n", "\n").strip()
    if len(description) > MAX_DESCRIPTION:
        problems["description"] = GeneralReason.DESCRIPTION_TOO_LONG(most=MAX_DESCRIPTION)
    question = one_line(submission.join_question)
    if len(question) > MAX_QUESTION:
        problems["join_question"] = GeneralReason.QUESTION_TOO_LONG(most=MAX_QUESTION)
    for field in ("locality", "country"):
        if len(getattr(submission, field)) > MAX_PLACE:
            problems[field] = GeneralReason.TEXT_TOO_LONG(most=MAX_PLACE)
    country = one_line(submission.country)
    if country and "country" not in problems and known_code(country) is None:
        problems["country"] = GroupReason.UNKNOWN_COUNTRY
    if not wall_time.is_zone(submission.time_zone):
        problems["time_zone"] = GroupReason.ZONE_NEEDED
    policy = choice(JoinPolicy, submission.join_policy, "join_policy", problems)
    visibility = choice(GroupVisibility, submission.visibility, "visibility", problems)
    level = choice(PromotionLevel, submission.promotion_level, "promotion_level", problems)
    if problems or policy is None or visibility is None or level is None:
        raise InvalidForm(problems)
    return GroupDetails(
        name=name,
        time_zone=submission.time_zone,
        description=description,
        locality=one_line(submission.locality),
        country=country,
        join_policy=policy,
        join_question=question,
        visibility=visibility,
        promotion_level=level,
        sync_enabled=submission.sync_enabled == ON,
        announces_events=submission.announces_events == ON,
    )
