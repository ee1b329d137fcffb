"""The older model of recurring events: a database of it is read, analysed, brought in as series, verified, and taken back.

In the older model a recurring event is a row with a rule, its dates are rows that name it as their parent, and a date from which
everything changed is a child with a rule of its own (a split point). Nothing is announced, mailed or published by bringing it in.
What was brought in is remembered row by row, so that an interrupted run goes on and a finished one can be taken back.
"""
