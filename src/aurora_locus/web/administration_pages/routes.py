"""All routes below ``/admin``."""

from starlette.routing import Route

from aurora_locus.web.administration_pages import (
    accounts,
    content,
    dashboard,
    invite_pages,
    operator_pages,
    report_pages,
    server_pages,
    sign_in,
)


def routes() -> list[Route]:
    """Every route below ``/admin``, in the order of the navigation."""
    return [
        *sign_in.routes(),
        *dashboard.routes(),
        *accounts.routes(),
        *report_pages.routes(),
        *content.routes(),
        *invite_pages.routes(),
        *server_pages.routes(),
        *operator_pages.routes(),
    ]
