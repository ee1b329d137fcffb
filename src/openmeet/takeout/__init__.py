"""Taking everything along: a whole community's database, or what belongs to one person, as JSON that another installation takes in.

A tenant's export holds every row of every table but those in ``LEFT_OUT``, each with its reason. A person's holds what is theirs and
nothing of others: no names of those who answered, no member lists. Neither holds a key, a password or a token that opens anything here.
"""
