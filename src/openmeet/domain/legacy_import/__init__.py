"""Import from the older data model of recurring events: read its database, analyse, import, verify, roll back.

In that model a recurring event is a row with a rule, and its dates are child rows. A date from which everything changed
is a child row with its own rule (a split point). An import sends no notifications or e-mails and publishes nothing.
Every imported row is recorded, so that an interrupted run can be resumed and a finished one rolled back.
"""
