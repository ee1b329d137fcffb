"""Export and import of a whole community's database, or of one person's data, as JSON that another installation can
read.

A community's export has every row of every table except those in ``LEFT_OUT``, which states a reason for each. A
person's export has only their own data and nothing about other people: no names of attendees, no member lists. Neither
export contains a usable key, password or token.
"""
