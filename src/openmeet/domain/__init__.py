"""The product's domain: people, groups, events, series, attendance and related data.

The domain knows neither HTTP nor the AT Protocol network. Work for external systems is enqueued as a job
(``openmeet.outbox``).
"""
