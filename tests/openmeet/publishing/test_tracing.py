"""One answer is followed by its id in logs and in a trace: from the click to the PDS and back through the firehose."""

import io
import json
import logging
from typing import Any

import structlog

from groundwork.http.client import HttpClient, HttpResponse
from groundwork.telemetry.logs import configure, request_id
from groundwork.telemetry.tracing import request_headers, step, trace_id_of
from openmeet.domain.attendance import actions as attendance
from openmeet.domain.attendance.model import RsvpReply
from openmeet.outbox import publications
from openmeet.outbox.publications import PublicationKind
from tests.external_dependencies import needs
from tests.openmeet.deployment import Deployment


async def test_an_answer_can_be_followed_from_click_to_ingestion(deployment: Deployment):
    """An answer is enqueued with the request's id, published with its URI and ingested with the commit's rev. Each log
    line has the answer's id.
    """
    cleo = await deployment.connected("cleo")
    tea = await deployment.event(cleo)
    await deployment.deliver_publications()
    stream, root = io.StringIO(), logging.getLogger()
    before = root.handlers[:]
    configure(stream=stream)
    request = request_id.set("9f2c41d07b3e-17")
    try:
        saved = await deployment.answer(cleo, tea.slug, RsvpReply.GOING)
        request_id.reset(request)
        await deployment.deliver_publications()
        await deployment.listen(cleo.user_id)
        async with deployment.db.transaction() as tx:
            await publications.make_due(tx, kind=PublicationKind.RSVP, subject_ids=[saved.id])
        assert await deployment.deliver_publications()  # the record is already correct, so nothing is written or logged
    finally:
        structlog.reset_defaults()
        root.handlers[:] = before
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    steps = [line for line in lines if line.get("subject") == saved.id]
    assert [line["event"] for line in steps] == ["record.enqueued", "record.published", "record.came_back"]
    enqueued, published, back = steps
    assert enqueued["request_id"] == "9f2c41d07b3e-17"
    assert published["uri"] == back["uri"]
    assert published["rev"] == back["rev"]


async def test_a_job_enqueued_on_another_thread_names_its_request(deployment: Deployment):
    """The answer is stored on the database's thread, and the log line of its job still has the request's id."""
    cleo = await deployment.connected("cleo")
    tea = await deployment.event(cleo)
    stream, root = io.StringIO(), logging.getLogger()
    before = root.handlers[:]
    configure(stream=stream)
    request = request_id.set("9f2c41d07b3e-18")
    try:
        saved = await deployment.db.batch(
            lambda tx: attendance.answer(tx, cleo, tea.slug, RsvpReply.GOING), key=tea.slug
        )
    finally:
        request_id.reset(request)
        structlog.reset_defaults()
        root.handlers[:] = before
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    enqueued = [
        line["request_id"] for line in lines if (line["event"], line.get("subject")) == ("record.enqueued", saved.id)
    ]
    assert enqueued == ["9f2c41d07b3e-18"]


@needs("opentelemetry")
async def test_all_spans_of_an_answer_share_one_trace(deployment: Deployment, monkeypatch):
    """All steps are spans of one trace. The request to the person's server names the step that sends it, and no other
    request carries trace headers.
    """
    from opentelemetry import trace  # imported here because it is optional
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    spans, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    sent: list[str] = []
    request = HttpClient.request

    async def heard(self: HttpClient, method: str, url: str, **more: Any) -> HttpResponse:
        sent.extend(value for name, value in (more.get("headers") or {}).items() if name == "traceparent")
        return await request(self, method, url, **more)

    monkeypatch.setattr(HttpClient, "request", heard)
    cleo = await deployment.connected("cleo")
    tea = await deployment.event(cleo)
    await deployment.deliver_publications()
    assert request_headers() == {}
    sent.clear()
    saved = await deployment.answer(cleo, tea.slug, RsvpReply.GOING)
    await deployment.deliver_publications()
    await deployment.answer(
        cleo, tea.slug, RsvpReply.INTERESTED
    )  # first answers of several people are sent together, later ones alone
    await deployment.deliver_publications()
    await deployment.listen(cleo.user_id)
    trace_id = trace_id_of(saved.id)
    of_answer = [span for span in spans.get_finished_spans() if span.context.trace_id == trace_id]
    names = [span.name for span in of_answer if span.name != "record.attempted"]
    assert names == ["record.enqueued", "record.published", "record.enqueued", "record.published", "record.came_back"]
    assert f"{trace_id:032x}" == saved.id.replace("-", "")
    attempts = {
        f"00-{trace_id:032x}-{span.context.span_id:016x}-01" for span in of_answer if span.name == "record.attempted"
    }
    assert sent
    assert set(sent) <= attempts


def test_without_tracing_nothing_is_added():
    with step("record.attempted", "an answer"):
        pass
    assert request_headers() == {}
