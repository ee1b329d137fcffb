"""Clients for outgoing requests: HTTP, and resolvers of DIDs, handles and Lexicons."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from at_network.did_resolver import DidResolver, DidSettings
from at_network.handle_resolver import HandleResolver, HandleSettings
from at_network.lexicon_resolver import LexiconResolver
from aurora_locus.settings import PdsSettings
from groundwork.clock import Clock
from groundwork.http.client import HttpClient
from groundwork.http.reach import DEVELOPMENT


@dataclass(frozen=True, slots=True)
class OutgoingClients:
    """``http`` refuses private addresses; ``configured_http`` is for addresses that the operator configured."""

    user_agent: str
    http: HttpClient
    configured_http: HttpClient
    dids: DidResolver
    handles: HandleResolver
    lexicons: LexiconResolver


def open_clients(settings: PdsSettings, clock: Clock, version: str, stack: AsyncExitStack) -> OutgoingClients:
    """Open the clients; the exit stack closes them."""
    user_agent = f"aurora-locus/{version}"
    http = HttpClient(settings.reach, user_agent=user_agent)
    stack.push_async_callback(http.close)
    configured_http = HttpClient(DEVELOPMENT, user_agent=user_agent)
    stack.push_async_callback(configured_http.close)
    did_settings = DidSettings(settings.did_plc_url, is_development=settings.dev_mode)
    dids = DidResolver(http, clock, did_settings, directory_http=configured_http)
    stack.push_async_callback(dids.close)
    handles = HandleResolver(http, dids, clock, HandleSettings(settings.dev_mode))
    stack.push_async_callback(handles.close)
    lexicons = LexiconResolver(http, dids, clock)
    stack.push_async_callback(lexicons.close)
    return OutgoingClients(user_agent, http, configured_http, dids, handles, lexicons)
