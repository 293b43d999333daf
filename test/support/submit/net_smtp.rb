# Hands a file to a relay by Net::SMTP of Ruby.
require 'json'
require 'net/smtp'

job = JSON.parse(ARGV[0])
smtp = Net::SMTP.new(job['host'], job['port'])
context = OpenSSL::SSL::SSLContext.new
context.set_params(ca_file: job['authority'])
smtp.disable_starttls
smtp.enable_starttls(context) if job['tls'] == 'starttls'
smtp.enable_tls(context) if job['tls'] == 'implicit'
addresses = [job['sender'], *job['recipients']]
parameters = ['BODY=8BITMIME']
parameters << 'SMTPUTF8' unless addresses.all?(&:ascii_only?)
sender = Net::SMTP::Address.new(job['sender'], *parameters)
begin
  login = job['name'] ? { user: job['name'], secret: job['password'], authtype: :plain } : {}
  smtp.start(helo: 'client.test.example', **login) do
    smtp.send_message(File.binread(job['file']), sender, job['recipients'])
  end
rescue Net::ProtocolError => failure
  abort failure.message
end
