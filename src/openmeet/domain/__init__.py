"""The product's domain: people, groups, events, series, attendance and what belongs to them.

Knows neither HTTP nor the AT Protocol network: work for the outside is enqueued as a job (``openmeet.outbox``).
"""
