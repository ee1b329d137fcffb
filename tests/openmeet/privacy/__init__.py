"""No private content reaches anybody who may not see it."""
