<?php
// Composes a message from a file's subject and body, and sends it by PHPMailer.
require '/usr/share/php/libphp-phpmailer/autoload.php';
require __DIR__ . '/parts.php';

use PHPMailer\PHPMailer\PHPMailer;

$job = json_decode($argv[1]);
[$subject, $body] = parts($job->file);

$mail = new PHPMailer(true);
$mail->isSMTP();
$mail->Host = $job->host;
$mail->Port = $job->port;
$mail->Hostname = 'client.test.example';
$mail->SMTPSecure = ['none' => '', 'starttls' => PHPMailer::ENCRYPTION_STARTTLS,
                     'implicit' => PHPMailer::ENCRYPTION_SMTPS][$job->tls];
$mail->SMTPAutoTLS = false;
$mail->SMTPOptions = ['ssl' => ['cafile' => $job->authority]];
$mail->SMTPAuth = $job->name !== null;
$mail->Username = $job->name ?? '';
$mail->Password = $job->password ?? '';
$mail->CharSet = PHPMailer::CHARSET_UTF8;
$mail->Encoding = PHPMailer::ENCODING_8BIT;
$mail->setFrom($job->sender, '', false);
$mail->Sender = $job->sender;
foreach ($job->recipients as $recipient) {
    $mail->addAddress($recipient);
}
$mail->Subject = $subject;
$mail->Body = $body;
$mail->AllowEmpty = true;
$mail->send();
