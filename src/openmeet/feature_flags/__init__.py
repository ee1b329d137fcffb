"""Feature flags of one community, switched at run time, and the log of changes.

A switched flag has a row; any other has its default. Each change is logged. Hot paths ask a ``Switchboard``, which may
be up to ``MAX_AGE`` behind.
"""
