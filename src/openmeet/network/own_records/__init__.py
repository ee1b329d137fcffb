"""A person's own calendar records, edited directly at their PDS."""
