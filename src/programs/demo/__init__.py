"""A believable town for trying things out and for screenshots: people, groups, series, events and answers, from a seed."""
