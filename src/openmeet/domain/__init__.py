"""The product's domain: people, groups, events, series, attendance and related data.

The domain code does not depend on HTTP or on the AT Protocol network. Work for external systems is enqueued as a job
(``openmeet.outbox``).
"""
