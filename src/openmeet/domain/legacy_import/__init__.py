"""Importing the older model of recurring events: reading such a database, analysing, importing, verifying, rolling back.

In that model a recurring event is a row with a rule, its dates are rows that name it as their parent, and a date from which
everything changed is a child with a rule of its own (a split point). Importing announces, e-mails and publishes nothing.
Each imported row is remembered, so that an interrupted run can go on and a finished one can be rolled back.
"""
