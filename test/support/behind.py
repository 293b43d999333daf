"""Behind: servers that offer PIPELINING and mistreat what rides behind a final dot, each as a real one does."""

from support.upstream import Gone, Session


class Behind(Session):
    """Stands it, and knows whether commands came before its reply to the final dot. The others do not stand it."""

    early = False
    rode = 0  # how often, of all sessions of a class

    def _body(self):
        data = super()._body()
        self.early = bool(self._buffer)
        type(self).rode += self.early
        return data


class Refuses(Behind):
    def _on_mail(self, argument):
        if self.early:
            self._send("503 5.5.0 Improper use of SMTP command pipelining")
        else:
            super()._on_mail(argument)


class Swallows(Behind):
    """Its reply to MAIL is lost: the others come one command too soon."""

    def _reply(self, stage, argument, default):
        if self.early and stage == "mail":
            return default
        return super()._reply(stage, argument, default)


class Closes(Behind):
    def _on_mail(self, argument):
        if self.early:
            raise Gone
        super()._on_mail(argument)


class Says421(Behind):
    def _on_mail(self, argument):
        if self.early:
            self._send("421 4.3.2 Shutting down")
            raise Gone
        super()._on_mail(argument)


class Panics(Behind):
    """Takes the message, cannot stand what came behind it, and ends without a reply: Dovecot's submission service."""

    def _say(self, reply):
        if self.early and reply.startswith("250 2.0.0 Taken"):
            raise Gone
        super()._say(reply)


class Chasquid(Behind):
    """A second buffer reads the content and goes with all that it has read: chasquid before 1.12."""

    def _body(self):
        data = super()._body()
        self._buffer = b""
        return data


class HalfChasquid(Behind):
    """The same, where the second buffer was full amid a command."""

    def _body(self):
        data = super()._body()
        self._buffer = self._buffer[len(self._buffer) // 2:]
        return data


class Haraka(Behind):
    """A plugin ends the last transaction when the next one has begun: Haraka before 2.8, with a slow one at
    reset_transaction."""

    def _on_mail(self, argument):
        super()._on_mail(argument)
        if self.early:
            self._reset()

    def _on_rcpt(self, argument):
        if self._sender is None:
            self._send("503 Use MAIL before RCPT")
        else:
            super()._on_rcpt(argument)

    def _on_data(self, argument):
        if self._sender is None:
            self._send("503 MAIL required first")
        else:
            super()._on_data(argument)


class MuteHaraka(Behind):
    """A plugin resumes the connection too late, and it stays in a pause: Haraka before 3.1.4. What comes is kept and
    never looked at."""

    def _on_mail(self, argument):
        if self.early:
            while True:
                self._receive()
        super()._on_mail(argument)
