"""A small server that answers like Photon and Nominatim, or like a hostile server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from groundwork.http.application import Application
from groundwork.http.server import serving
from groundwork.telemetry.metrics import Metrics

STREET = {
    "type": "Feature",
    "geometry": {"type": "Point", "coordinates": [13.4358, 52.4811]},
    "properties": {
        "osm_type": "W",
        "osm_id": 1,
        "osm_key": "place",
        "osm_value": "house",
        "type": "house",
        "housenumber": "98",
        "street": "Sonnenallee",
        "postcode": "12045",
        "city": "Berlin",
        "state": "Berlin",
        "country": "Deutschland",
        "countrycode": "DE",
    },
}
VENUE = {
    "type": "Feature",
    "geometry": {"type": "Point", "coordinates": [-0.0805, 51.526]},
    "properties": {
        "type": "house",
        "name": "Village Hall",
        "housenumber": "7",
        "street": "Old Street",
        "postcode": "EC1V",
        "city": "London",
        "state": "England",
        "countrycode": "GB",
    },
}
NOMINATIM = {
    "place_id": 1,
    "licence": "Data © OpenStreetMap contributors, ODbL 1.0",
    "lat": "52.4811",
    "lon": "13.4358",
    "category": "building",
    "type": "yes",
    "name": "Atelier Süd",
    "display_name": "Atelier Süd, 98, Sonnenallee, Neukölln, Berlin, 12045, Deutschland",
    "address": {
        "house_number": "98",
        "road": "Sonnenallee",
        "suburb": "Neukölln",
        "city": "Berlin",
        "postcode": "12045",
        "country": "Deutschland",
        "country_code": "de",
    },
}


class GeocoderServer:
    """``answer`` is the body of the following responses, and ``asked`` lists the requests so far."""

    def __init__(self) -> None:
        self.url = ""
        self.answer: object = {"type": "FeatureCollection", "features": [STREET, VENUE]}
        self.status = 200
        self.asked: list[Request] = []
        self.is_endless = self.is_silent = self.leads_elsewhere = False

    async def _search(self, request: Request) -> Response:
        self.asked.append(request)
        if self.leads_elsewhere:
            return RedirectResponse("/api?q=elsewhere")
        if self.is_endless or self.is_silent:
            return StreamingResponse(self._pieces(), media_type="application/json")
        body = self.answer if isinstance(self.answer, bytes) else msgspec.json.encode(self.answer)
        return Response(body, status_code=self.status, media_type="application/json")

    async def _pieces(self) -> AsyncIterator[bytes]:
        if self.is_silent:
            yield b"["
            await asyncio.sleep(60)
        for _ in range(10_000):
            yield b"[" * 65_536


@asynccontextmanager
async def geocoder_server() -> AsyncIterator[GeocoderServer]:
    server = GeocoderServer()
    routes = [Route("/api", server._search), Route("/search", server._search)]  # a method of this class
    async with serving(Application(routes, Metrics("test"))) as running:
        server.url = f"http://127.0.0.1:{running.port}"
        yield server
