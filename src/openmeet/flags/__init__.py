"""What of the synchronisation is switched on, for one tenant, changed at run time and by whom.

A flag is a row where somebody has switched it, its default where nobody has. Each change leaves a line that stays. What
is asked often is asked of a ``Switchboard``, which may be behind by ``MAX_AGE`` and no more.
"""
