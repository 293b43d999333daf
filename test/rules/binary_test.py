"""What the binary loads: BoringSSL, and never the OpenSSL whose symbols would shadow it."""

import os
import subprocess

RELAYD = os.environ["RELAYD"]


def test_binary_loads_boringssl_and_no_openssl():
    libraries = subprocess.run(["ldd", RELAYD], capture_output=True, text=True, check=True, timeout=30).stdout
    openssl = [line.strip() for line in libraries.splitlines() if "libcrypto.so.3" in line or "libssl.so.3" in line]
    assert not openssl, f"{openssl}: find which library brings OpenSSL in (ldd each of them) and drop it"
    assert "not found" not in libraries, libraries
    assert any("libssl.so" in line for line in libraries.splitlines()), f"no BoringSSL among\n{libraries}"
