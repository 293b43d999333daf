<?php
// Composes a message from a file's subject and body, and sends it by Symfony's mailer.
require '/usr/share/php/Symfony/Component/Mailer/autoload.php';
require __DIR__ . '/parts.php';

use Symfony\Component\Mailer\Transport\Smtp\EsmtpTransport;
use Symfony\Component\Mime\Email;

$job = json_decode($argv[1]);
[$subject, $body] = parts($job->file);

$transport = new EsmtpTransport($job->host, $job->port, $job->tls === 'implicit');
$transport->setLocalDomain('client.test.example');
$transport->getStream()->setStreamOptions(['ssl' => ['cafile' => $job->authority]]);
if ($job->name !== null) {
    $transport->setUsername($job->name)->setPassword($job->password);
}
$transport->send((new Email())->from($job->sender)->to(...$job->recipients)->subject($subject)->text($body));
