"""All routes: the pages, the pictures and the operations of the JSON API, in the order in which they are matched."""

from typing import Final

from starlette.routing import Route

from openmeet.web.account import (
    consent_pages,
    custodial_pages,
    data_pages,
    email_pages,
    identity_pages,
    matrix_pages,
    profile_pages,
    start_pages,
    tokens_pages,
)
from openmeet.web.account import merge_pages as account_merge_pages
from openmeet.web.account import settings_pages as account_settings_pages
from openmeet.web.admin import api as admin_api
from openmeet.web.admin import flags_pages
from openmeet.web.admin import pages as admin_pages
from openmeet.web.api.operations import ApiOperation
from openmeet.web.atproto import (
    answer_sync_pages,
    ingest_api,
    merges_api,
    merges_pages,
    own_record_pages,
    record_pictures,
    record_settings_api,
    record_settings_pages,
    repositories_pages,
)
from openmeet.web.attendance import api as attendance_api
from openmeet.web.attendance import (
    attendees_api,
    attendees_pages,
    guest_list_pages,
    guest_rsvp_pages,
    numbers_pages,
    registration_api,
    registration_pages,
)
from openmeet.web.attendance import pages as attendance_pages
from openmeet.web.calendar import api as calendar_api
from openmeet.web.calendar import pages as calendar_pages
from openmeet.web.calendar import settings_pages as calendar_settings
from openmeet.web.chat import matrix_api as chat_matrix_api
from openmeet.web.chat import matrix_guests_api as chat_matrix_guests_api
from openmeet.web.chat import message_pages as chat_message_pages
from openmeet.web.chat import moderation_pages as chat_moderation_pages
from openmeet.web.chat import pages as chat_pages
from openmeet.web.chat import pictures as chat_pictures
from openmeet.web.chat import stream_routes
from openmeet.web.chat.operations import OPERATIONS as CHAT_OPERATIONS
from openmeet.web.check_in import api as check_in_api
from openmeet.web.check_in import pages as check_in_pages
from openmeet.web.check_in import proof_api, proof_pages
from openmeet.web.components import pages as components
from openmeet.web.email_links import chat_pages as email_chat_pages
from openmeet.web.email_links import pages as email_links_pages
from openmeet.web.embeds import builder_pages as embed_builder_pages
from openmeet.web.embeds import pages as embed_pages
from openmeet.web.events import api as events_api
from openmeet.web.events import (
    co_hosts_api,
    co_hosts_pages,
    discover_pages,
    draft_pages,
    drafts_api,
    feeds,
    group_audience,
    home_pages,
    hosting_api,
    hosting_pages,
    link_preview,
    my_pages,
    new_links,
    people_pages,
    picture_pages,
    place_field,
    record_pages,
    share_pages,
)
from openmeet.web.events import new_pages as new_event_pages
from openmeet.web.events import pages as events_pages
from openmeet.web.groups import (
    activity_api,
    activity_pages,
    api,
    invitations_api,
    invitations_pages,
    members_pages,
    ownership_pages,
    settings_pages,
)
from openmeet.web.groups import atproto_pages as group_atproto_pages
from openmeet.web.groups import feeds as groups_feeds
from openmeet.web.groups import pages as group_pages
from openmeet.web.help import pages as help_pages
from openmeet.web.host_messages import api as host_messages_api
from openmeet.web.host_messages import pages as host_messages_pages
from openmeet.web.imports import api as imports_api
from openmeet.web.imports import arrival_pages
from openmeet.web.imports import pages as imports_pages
from openmeet.web.media import drawings
from openmeet.web.media import pages as media_pages
from openmeet.web.moderation import api as moderation_api
from openmeet.web.moderation import chat_api as moderation_chat_api
from openmeet.web.moderation import chat_pages as moderation_chat_pages
from openmeet.web.moderation import pages as moderation_pages
from openmeet.web.notifications import api as notifications_api
from openmeet.web.notifications import pages as notifications_pages
from openmeet.web.notifications import preference_pages as notification_preferences_pages
from openmeet.web.photos import api as photos_api
from openmeet.web.photos import pages as photos_pages
from openmeet.web.profiles import api as profiles_api
from openmeet.web.profiles import pages as profiles_pages
from openmeet.web.safety import api as safety_api
from openmeet.web.safety import pages as safety_pages
from openmeet.web.search import map_pages, places, sitemap
from openmeet.web.search import saved_pages as saved_searches_pages
from openmeet.web.series import api as series_api
from openmeet.web.series import dates_pages as series_dates_pages
from openmeet.web.series import edit_pages as series_edit_pages
from openmeet.web.series import gather_pages as series_gather_pages
from openmeet.web.series import host_pages as series_host_pages
from openmeet.web.series import hosting_api as series_hosting_api
from openmeet.web.series import impact_api as series_impact_api
from openmeet.web.series import list_pages, recurrence_preview
from openmeet.web.series import pages as series_pages
from openmeet.web.series import people_pages as series_people_pages
from openmeet.web.sign_in import api as sign_in_api
from openmeet.web.sign_in import atproto_api as atproto_sign_in_api
from openmeet.web.sign_in import atproto_pages
from openmeet.web.sign_in import pages as sign_in_pages
from openmeet.web.site import dev_pages, kept_forms, offline_pages, page_stream_route
from openmeet.web.webhooks import api as webhooks_api
from openmeet.web.webhooks import pages as webhooks_pages


def pictures() -> list[Route]:
    """Routes of pictures. A page has many of them, so they have a separate rate limit."""
    return [*media_pages.routes(), *drawings.routes(), *link_preview.routes(), *photos_pages.file_routes()]


def open_pages() -> list[Route]:
    """Pages, feeds and files that are the same for everybody, or whose URL itself grants access."""
    return [
        *email_links_pages.routes(),
        *email_chat_pages.routes(),
        *arrival_pages.open_routes(),
        *invitations_pages.open_routes(),
        *calendar_pages.open_routes(),
        *groups_feeds.open_routes(),
        *proof_pages.open_routes(),
        *sitemap.routes(),
        *offline_pages.open_routes(),
        *embed_pages.open_routes(),
    ]


def embeds() -> list[Route]:
    """Pages that other sites show in a frame."""
    return embed_pages.routes()


# Pages that shared links lead to. They are cached for visitors who are not signed in (``web/site/page_cache.py``),
# because all these visitors get the same page without random content.
CACHED_FOR_VISITORS: Final = frozenset(
    {"/", "/api", "/events/{slug}", "/groups/{slug}", "/people/{userId}", "/series/{slug}"}
)


def pages() -> list[Route]:
    """All page routes. ``/events/new`` precedes ``/events/{slug}``; the same holds for groups."""
    return kept_forms.keep_forms(_pages())


def _pages() -> list[Route]:
    return [*_account_pages(), *_event_pages(), *_series_pages(), *_group_pages(), *_site_pages()]


def _account_pages() -> list[Route]:
    """Sign-in, the settings of an account, and its notifications."""
    return [
        *sign_in_pages.routes(),
        *kept_forms.routes(),
        *page_stream_route.routes(),
        *atproto_pages.routes(),
        *identity_pages.routes(),
        *own_record_pages.routes(),
        *profile_pages.routes(),
        *account_settings_pages.routes(),
        *start_pages.routes(),
        *matrix_pages.routes(),
        *tokens_pages.routes(),
        *notifications_pages.routes(),
        *notification_preferences_pages.routes(),
    ]


def _event_pages() -> list[Route]:
    """Events with their RSVPs, chats and embeds, and the lists of events."""
    return [
        *new_event_pages.routes(),
        *draft_pages.routes(),
        *picture_pages.routes(),
        *hosting_pages.routes(),
        *record_pages.routes(),
        *new_links.routes(),
        *attendance_pages.routes(),
        *co_hosts_pages.routes(),
        *host_messages_pages.routes(),
        *stream_routes.routes(),
        *chat_moderation_pages.routes(),
        *chat_message_pages.routes(),
        *chat_pictures.routes(),
        *photos_pages.routes(),
        *chat_pages.routes(),
        *registration_pages.routes(),
        *attendees_pages.routes(),
        *guest_list_pages.routes(),
        *numbers_pages.routes(),
        *check_in_pages.routes(),
        *proof_pages.routes(),
        *guest_rsvp_pages.routes(),
        *share_pages.routes(),
        *people_pages.routes(),
        *embed_builder_pages.routes(),
        *discover_pages.routes(),
        *map_pages.routes(),
        *events_pages.routes(),
        *place_field.routes(),
        *group_audience.routes(),
        *home_pages.routes(),
        *my_pages.routes(),
    ]


def _series_pages() -> list[Route]:
    """Series, saved searches, profiles, records and calendars."""
    return [
        *saved_searches_pages.routes(),
        *profiles_pages.routes(),
        *record_settings_pages.routes(),
        *record_pictures.routes(),
        *list_pages.routes(),
        *series_host_pages.routes(),
        *series_dates_pages.routes(),
        *series_people_pages.routes(),
        *series_gather_pages.routes(),
        *recurrence_preview.routes(),
        *series_edit_pages.routes(),
        *series_pages.routes(),
        *answer_sync_pages.routes(),
        *merges_pages.routes(),
        *webhooks_pages.routes(),
        *calendar_pages.routes(),
        *calendar_settings.routes(),
    ]


def _group_pages() -> list[Route]:
    """Groups with their members, events and records."""
    return [
        *invitations_pages.routes(),
        *settings_pages.routes(),
        *members_pages.routes(),
        *activity_pages.routes(),
        *group_atproto_pages.routes(),
        *repositories_pages.routes(),
        *ownership_pages.routes(),
        *feeds.routes(),
        *groups_feeds.routes(),
        *group_pages.routes(),
    ]


def _site_pages() -> list[Route]:
    """Imports and exports, safety, moderation, operation, and help."""
    return [
        *imports_pages.routes(),
        *arrival_pages.routes(),
        *data_pages.routes(),
        *email_pages.routes(),
        *safety_pages.routes(),
        *moderation_pages.routes(),
        *moderation_chat_pages.routes(),
        *admin_pages.routes(),
        *flags_pages.routes(),
        *account_merge_pages.routes(),
        *consent_pages.routes(),
        *custodial_pages.routes(),
        *help_pages.routes(),
        *offline_pages.routes(),
        *dev_pages.routes(),
        *components.routes(),
    ]


def operations() -> list[ApiOperation]:
    """All operations of the JSON API, in the order of its documentation."""
    return [
        *_account_operations(),
        *_event_operations(),
        *_series_operations(),
        *_group_operations(),
        *_site_operations(),
    ]


def _account_operations() -> list[ApiOperation]:
    """Sign-in, tokens, settings and notifications."""
    return [
        *sign_in_api.OPERATIONS,
        *atproto_sign_in_api.OPERATIONS,
        *tokens_pages.OPERATIONS,
        *profile_pages.OPERATIONS,
        *consent_pages.OPERATIONS,
        *notifications_api.OPERATIONS,
    ]


def _event_operations() -> list[ApiOperation]:
    """Events with their RSVPs, chats and records, searches, places and profiles."""
    return [
        *events_api.OPERATIONS,
        *hosting_api.OPERATIONS,
        *new_links.OPERATIONS,
        *drafts_api.OPERATIONS,
        *attendance_api.OPERATIONS,
        *co_hosts_api.OPERATIONS,
        *host_messages_api.OPERATIONS,
        *photos_api.OPERATIONS,
        *CHAT_OPERATIONS,
        *chat_matrix_api.OPERATIONS,
        *chat_matrix_guests_api.OPERATIONS,
        *registration_api.OPERATIONS,
        *attendees_api.OPERATIONS,
        *check_in_api.OPERATIONS,
        *proof_api.OPERATIONS,
        *record_settings_api.OPERATIONS,
        *series_gather_pages.OPERATIONS,
        *saved_searches_pages.OPERATIONS,
        *places.OPERATIONS,
        *profiles_api.OPERATIONS,
    ]


def _series_operations() -> list[ApiOperation]:
    """Series."""
    return [
        *list_pages.OPERATIONS,  # must precede the routes with a slug in this position
        *series_api.OPERATIONS,
        *series_hosting_api.OPERATIONS,
        *series_impact_api.OPERATIONS,
        *series_people_pages.OPERATIONS,
    ]


def _group_operations() -> list[ApiOperation]:
    """Groups."""
    return [
        *api.OPERATIONS,
        *groups_feeds.OPERATIONS,
        *members_pages.OPERATIONS,
        *invitations_api.OPERATIONS,
        *activity_api.OPERATIONS,
        *ownership_pages.OPERATIONS,
        *group_atproto_pages.OPERATIONS,
        *repositories_pages.OPERATIONS,
    ]


def _site_operations() -> list[ApiOperation]:
    """Merges, webhooks, calendars, imports, operation, personal data, safety and moderation."""
    return [
        *merges_api.OPERATIONS,
        *webhooks_api.OPERATIONS,
        *calendar_api.OPERATIONS,
        *imports_api.OPERATIONS,
        *arrival_pages.OPERATIONS,
        *ingest_api.OPERATIONS,
        *admin_api.OPERATIONS,
        *flags_pages.OPERATIONS,
        *data_pages.OPERATIONS,
        *safety_api.OPERATIONS,
        *moderation_api.OPERATIONS,
        *moderation_chat_api.OPERATIONS,
    ]
