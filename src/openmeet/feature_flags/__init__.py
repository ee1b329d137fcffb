"""Feature flags: what is switched on for one community, changed at run time, and who changed it.

A flag has a row where somebody switched it and its default where nobody did. Each change is logged. Hot paths ask a
``Switchboard``, which may be up to ``MAX_AGE`` behind.
"""
