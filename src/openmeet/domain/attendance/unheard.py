"""Who was invited by an address and has said nothing since: hosts know them by it alone."""

from typing import Final

# Invited by an address, and never heard of since, also where the host has turned them away or checked them in: whose the address is
# nobody learns who wrote it.
IS_UNHEARD: Final = """(coalesce(a.invited_as, '') <> '' and (a.status in ('invited', 'rejected') or a.status = 'attended' and not exists (
                 select 1 from attendance_changes c where c.attendance_id = a.id
                    and c.after_status not in ('invited', 'rejected', 'attended'))))"""
