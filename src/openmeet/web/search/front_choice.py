"""The operator's policy for network events on the front page."""

from starlette.requests import HTTPConnection

from openmeet.domain.events.trust import FrontPagePolicy, shown_in
from openmeet.web.site.services import services


def shown_of(connection: HTTPConnection) -> FrontPagePolicy:
    settings = services(connection).settings
    return shown_in(settings.network_shown, settings.network_near)
