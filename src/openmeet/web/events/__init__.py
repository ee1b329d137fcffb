"""Events: create, edit, drafts, the event page and its API, co-hosts, feeds, calendar files, structured data."""
