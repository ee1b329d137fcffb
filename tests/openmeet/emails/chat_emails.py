"""Messages in chat rooms, and the notifications and e-mails about them."""

from groundwork.clock import HOUR
from groundwork.outbox.delivery import one_job_per_call
from groundwork.outbox.dispatcher import run_once
from openmeet.domain.chat.notify import chat_notification_handler
from openmeet.domain.notifications.queries import newest
from openmeet.emails.notifications.content import notification_lines
from openmeet.outbox.kinds import JobKind
from tests.openmeet.chat.rooms import send_text


async def say_and_notify(post, who, room, text, **further: object):
    """Write a message as this person and run the job that notifies people."""
    async with post.db.transaction() as tx:
        one = await send_text(tx, who, room, text, **further)
    await run_chat_notifications(post)
    return one


async def run_chat_notifications(post):
    while await run_once(post.db, {JobKind.NOTIFY_CHAT: one_job_per_call(chat_notification_handler(post.db))}):
        pass


async def deliver_mails_after(post, wait=HOUR):
    """Address and subject of the e-mails that are sent after this time."""
    post.site.clock.turn(wait)
    return [(str(mail["To"]), str(mail["Subject"])) for mail in await post.deliver()]


async def notification_texts(post, who):
    async with post.db.reader() as reader:
        shown = await notification_lines(reader, await newest(reader, who.user_id, 20), who.user_id)
    return [f"{item.before}{item.title}{item.after}" for one, item in shown if one.kind.subject == "room"]
