// Hands a file to a relay as Nodemailer does: node nodemailer.js PORT FILE SENDER RECIPIENT…
const nodemailer = require('nodemailer');

const [port, file, from, ...to] = process.argv.slice(2);
const transport = nodemailer.createTransport({
  host: '127.0.0.1',
  port: Number(port),
  secure: false,
  ignoreTLS: true,
  name: 'client.test.example',
});

transport.sendMail({ envelope: { from, to }, raw: { path: file } }).catch((failure) => {
  console.error(failure.message);
  process.exitCode = 1;
});
