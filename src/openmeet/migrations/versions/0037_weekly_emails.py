"""Find the people who switched the weekly e-mail on without reading everybody's choices."""

from groundwork.database.revision import execute

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    execute(
        """
        create index notification_preferences_weekly on notification_preferences (user_id)
         where topic = 'week' and channel = 'email' and is_on = 1
        """
    )
