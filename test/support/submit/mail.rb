# Composes a message from a file's subject and body, and sends it by the library "mail".
require 'json'
require 'mail'

job = JSON.parse(ARGV[0])
header, text = File.read(job['file'], mode: 'rb', encoding: 'UTF-8').split("\r\n\r\n", 2)
settings = { address: job['host'], port: job['port'], domain: 'client.test.example', enable_starttls_auto: false }
settings[:enable_starttls] = true if job['tls'] == 'starttls'
settings[:tls] = true if job['tls'] == 'implicit'
settings.merge!(user_name: job['name'], password: job['password'], authentication: :plain) if job['name']
Mail.defaults { delivery_method :smtp, settings }
Mail.deliver do
  charset = 'UTF-8'
  from job['sender']
  to job['recipients']
  subject header[/^Subject: (.*?)\r?$/, 1]
  body text.gsub("\r\n", "\n")
end
