"""Series: pages and API for dates, edits of this, the following or all dates, followers, detection."""
