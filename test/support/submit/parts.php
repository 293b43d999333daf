<?php
// The subject and the body of a message in a file, the body with LF at the end of every line.
function parts(string $file): array
{
    [$header, $body] = explode("\r\n\r\n", file_get_contents($file), 2);
    preg_match('/^Subject: (.*?)\r$/m', $header . "\r\n", $found);
    return [$found[1], str_replace("\r\n", "\n", $body)];
}
