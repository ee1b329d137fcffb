"""Group invitations, as JSON: links, e-mails, and the invited person's reply."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from groundwork.errors import InvalidInput
from groundwork.http.json_bodies import json_response, read_json
from openmeet.domain.groups import actions, administration, invitation_queries, rules
from openmeet.domain.groups.administration import InvitationPreview
from openmeet.domain.groups.model import INVITATION_DAYS, Invitation, InvitationId
from openmeet.domain.groups.reasons import GroupReason
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.identities.queries import shown_names
from openmeet.i18n.formatting import iso
from openmeet.web.api.operations import ApiOperation
from openmeet.web.api.pagination import CURSOR, LIMIT, paging
from openmeet.web.groups.schemas import MembershipOutput, membership_shown
from openmeet.web.site.caller import caller_of
from openmeet.web.site.rate_limits import spend_on_invitations
from openmeet.web.site.services import services
from openmeet.web.site.slugs import group_slug_of
from openmeet.web.site.tenant_routing import database_of

MAX_ADDRESSES = 200


class LinkInput(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """How many people the link admits, and how many days it is valid."""

    uses: int = 1
    days: int = INVITATION_DAYS


class InvitationOutput(msgspec.Struct, rename="camel"):
    """An invitation. The invited person sends ``token`` to ``POST /api/group-invitations/{token}``. Only links show
    their token.

    ``email`` is the address that the invitation was sent to.
    """

    id: str
    token: str | None
    email: str | None
    uses: int
    uses_left: int
    invited_by: str
    created_at: str
    expires_at: str


class InvitationList(msgspec.Struct, rename="camel"):
    """Valid invitations, newest first. ``cursor`` is null on the last page."""

    invitations: list[InvitationOutput]
    cursor: str | None


class MailsInput(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Addresses to invite. With ``isPreview``, the response reports what would be sent, and nothing is sent."""

    emails: list[str]
    is_preview: bool = False


class MailsOutput(msgspec.Struct, rename="camel"):
    """The result per address. ``fresh`` addresses are sent an e-mail. ``known`` ones already have an invitation or have
    declined one.

    ``wrong`` are invalid addresses, ``unread`` words that contain no address. ``leftToday`` is how many the group could
    still send today before this request.
    """

    fresh: list[str]
    known: list[str]
    wrong: list[str]
    unread: list[str]
    left_today: int
    is_sent: bool


class InvitedGroupOutput(msgspec.Struct, rename="camel"):
    """The information that an invited person can read before accepting."""

    group_name: str
    group_description: str
    invited_by_name: str
    is_by_mail: bool
    expires_at: str


async def list_invitations(request: Request) -> Response:
    caller, page = caller_of(request), paging(request)
    async with database_of(request).reader() as reader:
        group, membership = await actions.visible(reader, group_slug_of(request), caller.user_id)
        rules.require_permission(membership.role if membership else None, GroupPermission.INVITE)
        invitations, cursor = page.cut(
            await invitation_queries.open_invitations(reader, group.id, page), lambda one: (one.created_at, one.id)
        )
    return json_response(InvitationList([_invitation_output(request, one) for one in invitations], cursor))


async def invite_by_link(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, LinkInput)
    async with database_of(request).transaction() as tx:
        link = await administration.invite_by_link(tx, caller, group_slug_of(request), uses=body.uses, days=body.days)
    return json_response(_invitation_output(request, link), 201)


async def invite_by_mail(request: Request) -> Response:
    caller = caller_of(request)
    body = await read_json(request, MailsInput)
    if len(body.emails) > MAX_ADDRESSES:
        raise InvalidInput("emails", GroupReason.TOO_MANY_ADDRESSES, most=MAX_ADDRESSES)
    text = "\n".join(body.emails)
    async with database_of(request).reader() as reader:
        group, membership = await actions.visible(reader, group_slug_of(request), caller.user_id)
        rules.require_permission(membership.role if membership else None, GroupPermission.INVITE)
        administration.require_shown(group)
        preview = await administration.preview_invitations(reader, services(request).code_key, group, text)
    if body.is_preview:
        return json_response(_mails_output(preview, is_sent=False))
    administration.require_sendable(preview)
    await spend_on_invitations(request, caller.user_id, preview.fresh)
    async with database_of(request).transaction() as tx:
        mails = await administration.invite_by_mail(
            tx, services(request).code_key, caller, group_slug_of(request), text
        )
    return json_response(_mails_output(mails, is_sent=True))


async def revoke(request: Request) -> Response:
    caller = caller_of(request)
    invitation_id = InvitationId(request.path_params["invitation"])
    async with database_of(request).transaction() as tx:
        await administration.revoke(tx, caller, group_slug_of(request), invitation_id)
    return Response(status_code=204)


async def show_invitation(request: Request) -> Response:
    async with database_of(request).reader() as reader:
        invitation, group = await administration.usable_invitation(reader, invitation_of(request))
        names = await shown_names(reader, [invitation.invited_by])
    return json_response(
        InvitedGroupOutput(
            group.details.name,
            group.details.description,
            names[invitation.invited_by],
            invitation.email is not None,
            iso(invitation.expires_at),
        ),
        headers={"cache-control": "no-store"},
    )


async def accept(request: Request) -> Response:
    caller = caller_of(request)
    async with database_of(request).transaction() as tx:
        _, membership = await administration.accept(tx, caller, invitation_of(request))
    return json_response(membership_shown(membership))


async def decline(request: Request) -> Response:
    async with database_of(request).transaction() as tx:
        await administration.decline(tx, services(request).code_key, invitation_of(request))
    return Response(status_code=204)


def invitation_of(request: Request) -> InvitationId:
    """The invitation with the token in the path. Raises NotFound."""
    return administration.invitation_of_token(services(request).code_key, request.path_params["token"])


def _invitation_output(request: Request, invitation: Invitation) -> InvitationOutput:
    token = None if invitation.email else rules.token_of(services(request).code_key, invitation.id)
    return InvitationOutput(
        invitation.id,
        token,
        invitation.email,
        invitation.uses,
        invitation.uses_left,
        invitation.invited_by,
        iso(invitation.created_at),
        iso(invitation.expires_at),
    )


def _mails_output(mails: InvitationPreview, *, is_sent: bool) -> MailsOutput:
    return MailsOutput(
        list(mails.fresh),
        list(mails.already_invited),
        list(mails.malformed),
        list(mails.unread),
        mails.left_today,
        is_sent,
    )


_INVITATIONS = "/api/groups/{slug}/invitations"
_INVITATION = "/api/group-invitations/{token}"

OPERATIONS = (
    ApiOperation(
        "GET",
        _INVITATIONS,
        "listInvitations",
        "Valid invitations, for people who can invite",
        list_invitations,
        {200: InvitationList},
        parameters=(CURSOR, LIMIT),
        failures=(403, 404),
    ),
    ApiOperation(
        "POST",
        _INVITATIONS,
        "inviteByLink",
        "Create an invitation link",
        invite_by_link,
        {201: InvitationOutput},
        LinkInput,
        failures=(403, 404),
    ),
    ApiOperation(
        "POST",
        "/api/groups/{slug}/mail-invitations",
        "inviteByMail",
        "Invite by e-mail, each address once, or preview what would be sent",
        invite_by_mail,
        {200: MailsOutput},
        MailsInput,
        failures=(403, 404, 422),
    ),
    ApiOperation(
        "DELETE",
        _INVITATIONS + "/{invitation}",
        "revokeInvitation",
        "Withdraw an invitation",
        revoke,
        {204: None},
        failures=(403, 404),
    ),
    ApiOperation(
        "GET",
        _INVITATION,
        "showInvitation",
        "The group of an invitation, for anyone with its token. Changes nothing",
        show_invitation,
        {200: InvitedGroupOutput},
        needs_session=False,
        failures=(404,),
    ),
    ApiOperation(
        "POST",
        _INVITATION,
        "acceptInvitation",
        "Accept an invitation",
        accept,
        {200: MembershipOutput},
        failures=(404, 422),
    ),
    ApiOperation(
        "DELETE",
        _INVITATION,
        "declineInvitation",
        "Decline an invitation sent by e-mail. The group does not write to this address again",
        decline,
        {204: None},
        needs_session=False,
        failures=(404,),
    ),
)
