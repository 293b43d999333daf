"""Which room may know which: the includes of lib/ and relayd/ against the room rules of lib/README.md."""

import re

import source
from source import LIB, demand_none, files, includes, name, room_name

STAGES = ("accept", "queue", "rewrite", "route", "send", "settle", "tell")
PURE = re.compile(r"shared/(dns|mime|oauth|smtp|table)/|shared/http/(message|request|response|retry_after|url)|(providers|route|rewrite|settle|tell)/|accept/(rules|received)|queue/schedule")
CLOCKS = r"\w+_clock::now|\bwall_now\s*\(|\bstd::time\s*\(|\b(clock_)?gettime(ofday)?\s*\("


def stage_of(path: str) -> str | None:
    first = path.split("/")[0]
    return first if first in STAGES else None


def places(folders: tuple[str, ...], target: str) -> list[str]:
    """The files that include a header whose path matches, as `FILE:LINE`."""
    return [f"{name(path)}:{include.line}: includes {include.target}"
            for path in files(*folders) for include in includes(path) if re.match(target, include.target)]


def outside(found: list[str], allowed: str) -> list[str]:
    return [place for place in found if not re.match(allowed, place)]


def test_no_stage_includes_another():
    found = [f"{name(path)}:{include.line}: {stage_of(room_name(path))} includes {include.target}"
             for stage in STAGES for path in files(f"lib/{stage}") for include in includes(path)
             if include.quoted and stage_of(include.target) not in (None, stage)]
    demand_none(found, "Join the two stages in lib/relay, or move what they share down to lib/shared.")


def test_what_is_shared_knows_no_stage():
    found = [f"{name(path)}:{include.line}: includes {include.target}"
             for path in files("lib/shared") for include in includes(path)
             if include.quoted and not include.target.startswith("shared/")]
    demand_none(found, "lib/shared stands under the stages; hand it the value, or move the header into lib/shared.")


def test_providers_are_data_below_route_and_settle():
    above = [place for place in places(("lib", "relayd"), r"providers/")
             if not re.match(r"lib/(providers|route|settle)/", place)]
    demand_none(above, "Ask route how to connect, settle what a reply means.")
    below = [f"{name(path)}:{include.line}: includes {include.target}"
             for path in files("lib/providers") for include in includes(path)
             if include.quoted and not include.target.startswith(("providers/", "shared/"))]
    demand_none(below, "What is known of a provider is plain data; what is done with it belongs to a stage.")


def test_asio_stays_behind_the_loop_and_the_streams():
    allowed = r"lib/shared/(net|async)/|relayd/main\.cpp:"
    found = places(("lib", "relayd"), r"asio(\.hpp$|/)")
    found += [place for path in files("lib", "relayd") for place in source.matches(path, r"\basio::")]
    demand_none(outside(found, allowed), "Speak to async::Loop and async::Stream, so that a test can script them.")


def test_boringssl_stays_in_tls_and_crypto():
    # relayd/version.cpp says which BoringSSL it is and calls nothing of it.
    allowed = r"lib/shared/net/tls|lib/shared/crypto/\w+\.cpp:|relayd/version\.cpp:"
    found = outside(places(("lib", "relayd"), "openssl/"), allowed)
    demand_none(found, "Digests and keys belong in a .cpp of lib/shared/crypto, whose headers name no library.")


def test_gsasl_yaml_re2_idn2_and_c_ares_have_one_file_each():
    for library in (r"gsasl\.h$", r"yaml-cpp/", r"re2/", r"idn2\.h$", r"ares\w*\.h$"):
        found = places(("lib", "relayd"), library)
        many = len({place.split(":")[0] for place in found}) > 1
        headers = [place for place in found if ".hpp:" in place]
        demand_none(found if many else headers, "The library belongs behind one .cpp of ours.")


def chain_to_io(path, seen) -> list[str]:
    """The includes that lead from a file to sockets, disk or the loop: empty when none does."""
    for include in includes(path):
        target = LIB / include.target
        if not include.quoted or target in seen:
            continue
        seen.add(target)
        step = f"{name(path)}:{include.line}: includes {include.target}"
        if re.match(r"shared/(async|net|disk)/", include.target):
            return [step]
        rest = chain_to_io(target, seen) if target.is_file() else []
        if rest:
            return [step, *rest]
    return []


def test_pure_rooms_reach_no_sockets_disk_or_loop():
    found = [line for path in files("lib") if PURE.match(room_name(path)) for line in chain_to_io(path, set())]
    demand_none(found, "Take a value as an argument instead; what waits or writes belongs to the caller.")


def test_pure_rooms_read_no_clock():
    found = [place for path in files("lib") if PURE.match(room_name(path)) for place in source.matches(path, CLOCKS)]
    demand_none(found, "Time is an argument here, so that a test can choose it.")
