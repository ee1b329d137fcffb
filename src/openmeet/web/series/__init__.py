"""Series: pages and API for dates, edits of one, following or all dates, followers, detection."""
