"""Import from the older model of recurring events: read its database, analyse, import, verify, roll back.

In that model a recurring event is a row with a rule, its dates are child rows, and a date from which everything changed
is a child with its own rule (a split point). An import notifies, e-mails and publishes nothing. Every imported row is
recorded, so an interrupted run can be resumed and a finished one rolled back.
"""
