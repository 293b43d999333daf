# Hands a file to a relay by Net::SMTP of Perl.
use strict;
use warnings;
use Encode;
use JSON::PP;
use Net::SMTP;

my $job = decode_json($ARGV[0]);
my ($sender, @recipients) = map { encode('UTF-8', $_) } $job->{sender}, @{$job->{recipients}};
my @trust = $job->{authority} ? (SSL_ca_file => $job->{authority}) : ();
my $smtp = Net::SMTP->new($job->{host}, Port => $job->{port}, Hello => 'client.test.example',
                          SSL => $job->{tls} eq 'implicit', @trust) or die "no connection: $@\n";

sub demand { shift or die $smtp->message }

demand($smtp->starttls(@trust)) if $job->{tls} eq 'starttls';
demand($smtp->auth($job->{name}, $job->{password})) if $job->{name};
demand($smtp->mail($sender, Bits => 8));
demand($smtp->to(@recipients));
demand($smtp->data);
open my $file, '<:raw', $job->{file} or die "$job->{file}: $!\n";
while (read $file, my $piece, 1 << 16) { demand($smtp->datasend($piece)) }
demand($smtp->dataend);
$smtp->quit;
