"""What is measured, built as it ships, and the machine it is measured on."""

import os
import platform
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def build() -> Path:
    """relayd and the kit, as relayd ships; first installs what is missing, the peers as well."""
    folder = PROJECT / "build/bench"
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "build.log", "w") as log:
        for command in ([PROJECT / "script/bootstrap"],
                        ["cmake", "-S", PROJECT, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release",
                         "-DRELAYD_BENCH=ON", "-DRELAYD_TESTS=OFF"],
                        ["cmake", "--build", folder, "--target", "relayd", "load", "sink"]):
            if subprocess.run(command, stdout=log, stderr=log).returncode != 0:
                sys.exit(f"bench: the build failed; all of it is in {log.name}")
    return folder


def machine() -> str:
    processor = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
                     "unknown processor")
    return f"{processor}, {os.cpu_count()} cores, Linux {platform.release()}"
