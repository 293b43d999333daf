"""A strict reader of OpenMetrics 1.0, of what relayd writes of it: anything that the format does not allow is an error."""

from support.prometheus import NAME, Family, check_histogram, demand, read_sample, unescape

KINDS = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}  # and their suffixes
UNITS = ("seconds", "bytes")


def begin(families: dict[str, Family], line: str, name: str) -> Family:
    demand(NAME.fullmatch(name) and name not in families, line, "all lines of a name stand together")
    demand(not name.endswith("_total"), line, "a family is named without the suffix of its samples")
    families[name] = Family(name, "")
    return families[name]


def parse(text: bytes) -> dict[str, Family]:
    """The families by their names; raises prometheus.Malformed."""
    lines = text.decode("utf-8", errors="strict").split("\n")
    demand(lines[-2:] == ["# EOF", ""], "", "the last line is # EOF")
    families: dict[str, Family] = {}
    family, seen = None, []
    for line in lines[:-2]:
        demand("\r" not in line and line == line.strip() and line, line, "a line without CR or blanks around it")
        if not line.startswith("#"):
            name, labels, value = read_sample(line)
            demand(family and seen == sorted(seen, key=["TYPE", "UNIT", "HELP"].index) and "HELP" in seen, line,
                   "TYPE, UNIT and HELP in this order, before the samples")
            demand(name in [family.name + suffix for suffix in KINDS[family.kind]], line, "samples stand by their name")
            key = (name, frozenset(labels.items()))
            demand(key not in family.samples, line, "each sample is there once")
            demand(family.kind == "gauge" or value >= 0, line, "it counts upwards")
            bound = labels.get("le", "+Inf")
            demand(bound == "+Inf" or set(".e") & set(bound), line, "a bound has a fraction")
            family.samples[key] = value
            continue
        words = line.split(" ", 3)
        demand(len(words) == 4 and words[0] == "#" and words[1] in ("TYPE", "UNIT", "HELP"), line, "no such comment")
        if words[1] == "TYPE":
            family, seen = begin(families, line, words[2]), []
            demand(words[3] in KINDS, line, "a kind is wanted")
            family.kind = words[3]
        demand(family and family.name == words[2] and words[1] not in seen and not family.samples, line,
               "once, for the name of TYPE, before the samples")
        seen.append(words[1])
        if words[1] == "UNIT":
            demand(words[3] in UNITS and family.name.endswith("_" + words[3]), line, "a name ends in its unit")
            family.unit = words[3]
        if words[1] == "HELP":
            family.help = unescape(words[3], True, line)
    for one in families.values():
        demand(one.help, one.name, "HELP is wanted")
        demand(one.unit or not one.name.endswith(UNITS), one.name, "UNIT is wanted")
        if one.kind == "histogram":
            check_histogram(one)
    return families
