"""What is done to a message on its way: its addresses are rewritten by a table, or it gets a DKIM signature."""

import os
from pathlib import Path

from comparison.relayd import Relayd

ROWS = 100_000
DOMAIN, PUBLIC = "bench.example", "public.example"
KINDS = ("generic", "rsa", "ed25519")


class Change:
    """The table, or the key and the record that DNS would have; and the look at what comes of it."""

    def __init__(self, kind: str, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self.kind, self.table = kind, folder / "generic"
        if kind == "generic":
            self.table.write_text("".join(f"s{row}@{DOMAIN} s{row}@{PUBLIC}\n" for row in range(ROWS)))
            return
        os.environ["RELAYD"] = str(Relayd.binary)  # which makes the keys
        from support.dkim import Keys
        self.keys = Keys(folder, DOMAIN, (kind,))

    @property
    def signs(self) -> bool:
        return self.kind != "generic"

    def check(self, message):
        """That a message which has arrived was changed, or its signature fits."""
        if self.signs:
            assert self.keys.verify([message.data], 1) == ["True"], f"no signature that fits: {message.data[:2000]}"
        else:
            header = message.data.partition(b"\r\n\r\n")[0]
            assert message.sender == f"s0@{PUBLIC}", message.sender
            assert f"From: <s0@{PUBLIC}>".encode() in header, header
