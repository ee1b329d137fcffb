// Run the reference PDS with the settings of its environment, on loopback only. Its e-mails are appended to a file as JSON lines.
//   PDS_… TEST_MAIL_FILE=… node serve.mjs
import { appendFileSync } from 'node:fs'
import { PDS } from '@atproto/pds'

const mails = process.env.TEST_MAIL_FILE

function captured(transporter) {
  const send = transporter.sendMail.bind(transporter)
  transporter.sendMail = async (mail) => {
    const sent = await send(mail)
    const { to, subject, text } = JSON.parse(sent.message)
    appendFileSync(mails, JSON.stringify({ to: to.map((one) => one.address), subject, text }) + '\n')
    return sent
  }
}

await PDS.run({
  onCreated: ({ app, ctx }) => {
    // By default the reference PDS listens on every address of the machine.
    const listen = app.listen.bind(app)
    app.listen = (port) => listen(port, '127.0.0.1')
    if (mails) [ctx.mailer, ctx.moderationMailer].forEach((mailer) => captured(mailer.transporter))
  },
})
