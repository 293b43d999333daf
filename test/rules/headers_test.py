"""Each header compiles by itself: whoever includes it needs nothing before it."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

from source import PROJECT, demand_none, files, name

COMPILER = [os.environ.get("CXX", "g++"), "-std=c++20", "-fsyntax-only", "-x", "c++", "-DASIO_STANDALONE",
            f"-I{PROJECT}/lib", f"-I{PROJECT}/relayd", f"-I{PROJECT}/test", f'-DPROJECT_DIR="{PROJECT}"']
BORINGSSL = ["-isystem", os.environ["BORINGSSL_INCLUDE_DIR"]]


def first_error(header) -> str | None:
    # Included from an empty file, so that `#pragma once` is at its place.
    compiled = subprocess.run([*COMPILER, *BORINGSSL, "-"], input=f'#include "{header}"\n', text=True,
                              capture_output=True, timeout=120)
    if compiled.returncode == 0:
        return None
    return next(line for line in compiled.stderr.splitlines() if "error" in line).removeprefix(f"{PROJECT}/")


def test_each_header_compiles_alone():
    headers = files("lib", "relayd", "test", suffixes={".hpp"})
    with ThreadPoolExecutor(max_workers=2) as pool:
        errors = [error for error in pool.map(first_error, headers) if error]
    assert headers, f"no header under {name(PROJECT)}"
    demand_none(errors, "Include in the header what the header uses.")
