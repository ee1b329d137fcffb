"""Export and import: a whole community's database, or one person's data, as JSON that another installation reads.

A community's export holds every row of every table but those in ``LEFT_OUT``, each with its reason. A person's export holds what is
theirs and nothing of others: no names of attendees, no member lists. Neither holds a key, a password or a token that works here.
"""
