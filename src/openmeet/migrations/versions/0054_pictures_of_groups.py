"""A group has a picture, with its words: both or neither."""

from groundwork.database.revision import apply

revision = "0054"
down_revision = "0053"

SQL = """
alter table groups add column picture_key text;
alter table groups add column picture_alt text;
alter table groups add column picture_width integer check (picture_width > 0);
alter table groups add column picture_height integer check (picture_height > 0
  and (picture_key is null) = (picture_alt is null)
  and (picture_key is null) = (picture_width is null)
  and (picture_key is null) = (picture_height is null));
create index groups_by_picture on groups (picture_key) where picture_key is not null;
"""


def upgrade() -> None:
    apply(SQL)
