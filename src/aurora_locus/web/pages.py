"""All HTML pages of this server, and their layout."""

from starlette.routing import Route

from aurora_locus.accounts.email_tokens import LIFETIME
from aurora_locus.accounts.registry import Registry
from aurora_locus.keys import server_keys
from aurora_locus.settings import PdsSettings
from aurora_locus.web.account_pages import routes as account_pages
from aurora_locus.web.administration_pages import routes as administration
from aurora_locus.web.front_page import routes as front_page
from aurora_locus.web.oauth_pages import routes as oauth_pages
from aurora_locus.web.security_pages import pages as security_pages
from aurora_locus.web.sign_in import pages as sign_in_pages
from aurora_locus.web.site.templating import Branding, Site, open_site
from groundwork.clock import MINUTE
from groundwork.sealing import Sealer


async def open_pages(settings: PdsSettings, registry: Registry, sealer: Sealer) -> Site:
    """Open the page layout as configured by the operator."""
    branding = Branding(
        name=settings.service_name or settings.hostname,
        home_url=settings.home_url,
        support_url=settings.support_url,
        contact=settings.contact_email_address,
        terms_url=settings.terms_of_service_url,
        privacy_url=settings.privacy_policy_url,
        logo_url=settings.logo_url,
        colour=settings.primary_color,
    )
    csrf_key = await server_keys.find_or_make(registry.db, sealer, server_keys.PAGE_FORMS)
    numbers = {"min_password_length": registry.passwords.min_length, "code_minutes": LIFETIME // MINUTE}
    return open_site(branding, settings.url, csrf_key, numbers)


def routes(site: Site, settings: PdsSettings) -> list[Route]:
    """Every page, and its static files."""
    return [
        *site.files.routes(),
        *front_page(settings),
        *sign_in_pages.routes(),
        *security_pages.routes(),
        *oauth_pages.routes(),
        *account_pages.routes(),
        *administration.routes(),
    ]
