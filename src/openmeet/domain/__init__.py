"""What the platform is: people, groups, events, series, attendance and what belongs to them.

Knows neither HTTP nor the AT Protocol's network: what must happen outside is enqueued as a job (``openmeet.outbox``).
"""
