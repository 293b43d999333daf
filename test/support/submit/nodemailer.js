// Hands a file to a relay as Nodemailer does.
const nodemailer = require('nodemailer');

const job = JSON.parse(process.argv[2]);
const transport = nodemailer.createTransport({
  host: job.host,
  port: job.port,
  name: 'client.test.example',
  secure: job.tls === 'implicit',
  requireTLS: job.tls === 'starttls',
  ignoreTLS: job.tls === 'none',
  tls: job.authority ? { ca: require('fs').readFileSync(job.authority) } : {},
  auth: job.name ? { user: job.name, pass: job.password } : undefined,
});

const envelope = { from: job.sender, to: job.recipients, use8BitMime: true };
transport.sendMail({ envelope, raw: { path: job.file } }).catch((failure) => {
  console.error(failure.message);
  process.exitCode = 1;
});
