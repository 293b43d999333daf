"""The mail systems that are compared, by the names that `compare` knows."""

from comparison.exim import Exim
from comparison.opensmtpd import OpenSmtpd
from comparison.postfix import Postfix, TunedPostfix
from comparison.relayd import Relayd

PEERS = {"relayd": Relayd, "postfix": Postfix, "postfix-tuned": TunedPostfix, "exim": Exim, "opensmtpd": OpenSmtpd}
