"""Method table of ``com.atproto.label.*``."""

from collections.abc import Mapping
from functools import partial

from aurora_locus.moderation.labels import Labels
from aurora_locus.xrpc.com_atproto_label import query_labels, subscribe_labels
from aurora_locus.xrpc.dispatch import Subscription
from aurora_locus.xrpc.method import Method, query


def methods(labels: Labels) -> list[Method]:
    """The methods of ``com.atproto.label``: queryLabels."""
    return [query("com.atproto.label.queryLabels", partial(query_labels.run, labels))]


def streams(labels: Labels) -> Mapping[str, Subscription]:
    """The streams of ``com.atproto.label``: subscribeLabels."""
    return {subscribe_labels.NSID: subscribe_labels.subscribe_labels(labels)}
