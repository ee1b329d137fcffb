"""Events in time: periods, the tables of months and weeks, and the look of an entry. Pure functions."""
