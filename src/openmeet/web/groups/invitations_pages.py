"""Group invitation pages: create links, invite addresses, revoke invitations. Also the page that an invitation opens.

Opening an invitation changes nothing.
"""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from groundwork.database.transaction import Reader
from groundwork.errors import InvalidForm, InvalidInput, NotFound, Refused, TooMany
from groundwork.http.forms import FormState, form_with_problems, read_form
from openmeet.domain.covers.model import tone_of_group
from openmeet.domain.groups import actions, administration, invitation_queries, queries, rules
from openmeet.domain.groups.administration import InvitationPreview
from openmeet.domain.groups.model import (
    INSIDE,
    INVITATION_DAYS,
    MAX_LINK_DAYS,
    MAX_MAILS_A_DAY,
    MAX_USES,
    Group,
    InvitationId,
)
from openmeet.domain.groups.rules import GroupPermission
from openmeet.domain.identities.queries import shown_names
from openmeet.domain.page_paths import group_path
from openmeet.domain.users.model import Caller
from openmeet.domain.validation import GeneralReason
from openmeet.i18n.catalogue import gettext
from openmeet.web.groups.invitations_api import invitation_of
from openmeet.web.groups.view import VISIBILITY_LABELS, day_label
from openmeet.web.groups.viewed_group import context_of, redirect_to_current_slug, view_group
from openmeet.web.site.caller import caller_of, caller_or_none
from openmeet.web.site.faces import avatar_of
from openmeet.web.site.layout import go, page
from openmeet.web.site.rate_limits import spend_on_invitations
from openmeet.web.site.services import services
from openmeet.web.site.slugs import group_slug_of
from openmeet.web.site.tenant_routing import database_of

# The URL is a secret, so caches must not store it and search engines must not index it.
_HEADERS = {"cache-control": "no-store", "x-robots-tag": "noindex, nofollow", "referrer-policy": "no-referrer"}

_AT_FIRST = {"uses": "20", "days": str(INVITATION_DAYS), "emails": ""}


def routes() -> list[Route]:
    """Routes of group invitations. ``/groups/invitations/{token}`` is registered before ``/groups/{slug}/…``, which
    would match it too.
    """
    return [
        Route("/groups/invitations/{token}", show_invitation, methods=["GET"]),
        Route("/groups/invitations/{token}", answer_invitation, methods=["POST"]),
        Route("/groups/{slug}/invitations", show_invitations, methods=["GET"]),
        Route("/groups/{slug}/invitations/link", make_link, methods=["POST"]),
        Route("/groups/{slug}/invitations/mail", send_mails, methods=["POST"]),
        Route("/groups/{slug}/invitations/{invitation}/revoke", revoke, methods=["POST"]),
    ]


async def show_invitation(request: Request) -> Response:
    caller = caller_or_none(request)
    async with database_of(request).reader() as reader:
        try:
            invitation, group = await administration.usable_invitation(reader, invitation_of(request))
        except NotFound:
            # Members open the link of their invitation again to find the group.
            own_group = await _group_of_member(reader, invitation_of(request), caller)
            if own_group is None:
                raise
            return go(group_path(own_group.slug))
        names = await shown_names(reader, [invitation.invited_by])
        counts = await queries.counts(reader, group.id)
        role = None if caller is None else await queries.role_in(reader, group.id, caller.user_id)
    context = {
        "group": group,
        "address": group_path(group.slug),
        "face": avatar_of(group.id, group.details.name),
        "tone": tone_of_group(group.details.name, group.picture),
        "host": names[invitation.invited_by],
        "members": sum(counts.get(one, 0) for one in INSIDE),
        "until": day_label(invitation.expires_at, group),
        "is_by_mail": invitation.email is not None,
        "is_in": role in INSIDE,
        "visibility_words": VISIBILITY_LABELS[group.details.visibility],
        "sign_in": f"/sign-in?next={quote(request.url.path, safe='')}",
    }
    return page(request, "groups/group_invitation.html", context, headers=_HEADERS)


async def _group_of_member(reader: Reader, invitation_id: InvitationId, caller: Caller | None) -> Group | None:
    """The group of the invitation if the caller is in it."""
    invitation = await invitation_queries.invitation(reader, invitation_id)
    if invitation is None or caller is None:
        return None
    role = await queries.role_in(reader, invitation.group_id, caller.user_id)
    return await queries.by_id(reader, invitation.group_id) if role is not None and role in INSIDE else None


def open_routes() -> list[Route]:
    """Routes for mail programs, which post from anywhere and without cookies. The token is the only credential (RFC
    8058).
    """
    return [
        Route("/mail/decline/group/{token}", show_instead, methods=["GET"]),
        Route("/mail/decline/group/{token}", decline_by_mail, methods=["POST"]),
    ]


async def show_instead(request: Request) -> Response:
    """Redirect to the page of the invitation, which asks for confirmation: opening a link must not act at once."""
    return go(f"/groups/invitations/{quote(request.path_params['token'])}")


async def decline_by_mail(request: Request) -> Response:
    """One-click decline. The body is ignored, and the response is not a redirect."""
    async with database_of(request).transaction() as tx:
        await administration.stop_mails(tx, services(request).code_key, invitation_of(request))
    return Response(gettext("You won’t get any more e-mails about this invitation.") + "\n", media_type="text/plain")


async def answer_invitation(request: Request) -> Response:
    reply = (await read_form(request)).get("answer", "")
    if reply == "no":
        async with database_of(request).transaction() as tx:
            await administration.decline(tx, services(request).code_key, invitation_of(request))
        return go("/groups", flash="invitation_declined")
    if reply != "yes":
        raise InvalidInput("answer", GeneralReason.CHOOSE_ONE, choices="yes, no")
    caller = caller_or_none(request)
    if caller is None:
        return go(f"/sign-in?next={quote(request.url.path, safe='')}")
    async with database_of(request).transaction() as tx:
        group, _ = await administration.accept(tx, caller, invitation_of(request))
    return go(group_path(group.slug), flash="group_joined")


async def show_invitations(request: Request) -> Response:
    return await _invitations_page(request, FormState(_AT_FIRST))


async def make_link(request: Request) -> Response:
    caller = caller_of(request)
    form = await read_form(request)
    try:
        uses, days = _parse_number(form, "uses", MAX_USES), _parse_number(form, "days", MAX_LINK_DAYS)
        async with database_of(request).transaction() as tx:
            link = await administration.invite_by_link(tx, caller, group_slug_of(request), uses=uses, days=days)
            group, _ = await actions.visible(tx, group_slug_of(request), caller.user_id)
    except InvalidForm as wrong:
        return await _invitations_page(request, form_with_problems({**_AT_FIRST, **form}, wrong), status=400)
    return go(f"{group_path(group.slug)}/invitations#invitation-{link.id}", flash="link_made")


async def send_mails(request: Request) -> Response:
    """Invite e-mail addresses to the group. The first request shows a preview; the button on it sends the e-mails."""
    caller = caller_of(request)
    form = await read_form(request)
    text = form.get("emails", "")
    try:
        async with database_of(request).reader() as reader:
            seen = await view_group(reader, request, GroupPermission.INVITE)
            administration.require_shown(seen.group)
            preview = await administration.preview_invitations(reader, services(request).code_key, seen.group, text)
        if form.get("step") != "send":
            return await _invitations_page(request, FormState({**_AT_FIRST, **form}), preview=preview)
        administration.require_sendable(preview)
        await spend_on_invitations(request, caller.user_id, preview.fresh)
        async with database_of(request).transaction() as tx:
            await administration.invite_by_mail(tx, services(request).code_key, caller, group_slug_of(request), text)
            group, _ = await actions.visible(tx, group_slug_of(request), caller.user_id)
    except InvalidForm as wrong:
        return await _invitations_page(request, form_with_problems({**_AT_FIRST, **form}, wrong), status=400)
    except TooMany as many:
        problem = InvalidForm({"emails": many.why})
        return await _invitations_page(request, form_with_problems({**_AT_FIRST, **form}, problem), status=429)
    except Refused as refused:
        problem = InvalidForm({"emails": refused.why})
        return await _invitations_page(request, form_with_problems({**_AT_FIRST, **form}, problem), status=422)
    return go(f"{group_path(group.slug)}/invitations", flash="mails_sent")


async def revoke(request: Request) -> Response:
    caller = caller_of(request)
    invitation_id = InvitationId(request.path_params["invitation"])
    async with database_of(request).transaction() as tx:
        await administration.revoke(tx, caller, group_slug_of(request), invitation_id)
        group, _ = await actions.visible(tx, group_slug_of(request), caller.user_id)
    return go(f"{group_path(group.slug)}/invitations", flash="invitation_revoked")


async def _invitations_page(
    request: Request, form_state: FormState, *, preview: InvitationPreview | None = None, status: int = 200
) -> Response:
    async with database_of(request).reader() as reader:
        seen = await view_group(reader, request, GroupPermission.INVITE)
        moved = redirect_to_current_slug(request, seen.group)
        if moved is not None and request.method == "GET":
            return moved
        invitations = await invitation_queries.open_invitations(reader, seen.group.id)
        names = await shown_names(reader, [one.invited_by for one in invitations])
    key, public_url = services(request).code_key, services(request).settings.public_url
    links = [
        {
            "id": one.id,
            "url": f"{public_url}/groups/invitations/{rules.token_of(key, one.id)}",
            "left": one.uses_left,
            "uses": one.uses,
            "by": names[one.invited_by],
            "until": day_label(one.expires_at, seen.group),
        }
        for one in invitations
        if one.email is None
    ]
    mails = [
        {
            "id": one.id,
            "email": one.email,
            "by": names[one.invited_by],
            "sent": day_label(one.created_at, seen.group),
            "until": day_label(one.expires_at, seen.group),
        }
        for one in invitations
        if one.email is not None
    ]
    context = context_of(seen, f"{seen.path}/invitations") | {
        "typed": form_state,
        "links": links,
        "mails": mails,
        "preview": preview,
        "most_mails": MAX_MAILS_A_DAY,
        "most_uses": MAX_USES,
        "most_days": MAX_LINK_DAYS,
    }
    return page(request, "groups/group_invitations.html", context, status=status, headers={"cache-control": "no-store"})


def _parse_number(form: dict[str, str], name: str, most: int) -> int:
    text = form.get(name, "").strip()
    if not (text.isascii() and text.isdecimal() and len(text) <= 6):
        raise InvalidForm({name: GeneralReason.NUMBER_OUT_OF_RANGE(most=most)})
    return int(text)
