"""Feature flags of one community, switched at run time, and the log of changes.

A flag that was ever switched has a row; all others have their default. Every change is logged. Frequently executed code
reads flags through a ``Switchboard``, which can be up to ``MAX_AGE`` out of date.
"""
