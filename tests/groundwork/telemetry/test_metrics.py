"""Registries of two programs in one process are separate."""

import pytest

from groundwork.telemetry.metrics import Metrics


def test_metric_names_include_program_and_kind():
    metrics = Metrics("openmeet")
    metrics.counter("records_published", "Records written to a PDS", ["collection"]).labels("event").inc()
    metrics.gauge("debts_due", "Debts that wait").set(3)
    metrics.gauge_of("cursor_lag_seconds", "How far behind", lambda: 1.5)
    metrics.histogram("commit_seconds", "Commits").observe(0.01)
    text = metrics.exposition().decode()
    assert 'openmeet_records_published_total{collection="event"} 1.0' in text
    assert "openmeet_cursor_lag_seconds 1.5" in text
    assert "openmeet_debts_due 3.0" in text
    assert "openmeet_commit_seconds_count 1.0" in text


def test_registries_of_two_programs_are_separate():
    one, other = Metrics("openmeet"), Metrics("aurora_locus")
    one.counter("x", "x")
    other.counter("x", "x")
    assert b"openmeet_x" not in other.exposition()


def test_a_name_that_is_declared_twice_is_one_metric():
    """A metric declared twice is one metric: each tenant's worker declares its counters, and the program has each
    counter once.
    """
    metrics = Metrics("openmeet")
    for tenant in ("town", "village"):
        metrics.counter("mails", "Mails sent", ["tenant"]).labels(tenant).inc()
        metrics.histogram("paying_seconds", "Payments", buckets=(1.0, 2.0)).observe(0.5)
    text = metrics.exposition().decode()
    assert 'openmeet_mails_total{tenant="town"} 1.0' in text
    assert 'openmeet_mails_total{tenant="village"} 1.0' in text
    assert "openmeet_paying_seconds_count 2.0" in text


def test_conflicting_metric_declarations_are_refused():
    metrics = Metrics("openmeet")
    metrics.counter("mails", "Mails sent", ["tenant"])
    for declare in (
        lambda: metrics.counter("mails", "Mails sent"),
        lambda: metrics.counter("mails", "Mails received", ["tenant"]),
        lambda: metrics.gauge("mails", "Mails sent", ["tenant"]),
    ):
        with pytest.raises(ValueError, match="openmeet_mails"):
            declare()
