"""A strict reader of Prometheus's text format 0.0.4: anything that the format does not allow is an error."""

import re
from dataclasses import dataclass, field

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|NaN|[+-]Inf")
KINDS = ("counter", "gauge", "histogram")


@dataclass
class Family:
    name: str
    help: str
    kind: str = ""
    unit: str = ""  # of OpenMetrics
    samples: dict[tuple[str, frozenset], float] = field(default_factory=dict)  # (name, labels): value

    def value(self, suffix: str = "", **labels: str) -> float:
        return self.samples[(self.name + suffix, frozenset(labels.items()))]

    def total(self, **labels: str) -> float:
        """Of all samples that have these labels."""
        return sum(value for (_, pairs), value in self.samples.items() if labels.items() <= dict(pairs).items())


class Malformed(Exception):
    pass


def demand(condition, line: str, why: str):
    if not condition:
        raise Malformed(f"{why}: {line!r}")


def unescape(text: str, quotes: bool, line: str) -> str:
    known = {"\\\\": "\\", "\\n": "\n", **({'\\"': '"'} if quotes else {})}

    def replace(match):
        demand(match[0] in known, line, f"no such escape {match[0]!r}")
        return known[match[0]]

    return re.sub(r"\\.?", replace, text)


def read_labels(text: str, line: str) -> dict[str, str]:
    labels = {}
    while text:
        match = LABEL.match(text)
        demand(match, line, "a label's name is wanted")
        text = text[match.end():]
        value = re.match(r'="((?:[^"\\\n]|\\.)*)"(,|$)', text)
        demand(value, line, "a quoted value is wanted")
        demand(match[0] not in labels, line, f"the label {match[0]} is there twice")
        demand(not match[0].startswith("__"), line, "such labels are not ours")
        labels[match[0]] = unescape(value[1], True, line)
        text = text[value.end():]
        demand(text or value[2] == "", line, "a comma at the end")
    return labels


def read_sample(line: str) -> tuple[str, dict[str, str], float]:
    match = NAME.match(line)
    demand(match, line, "a name is wanted")
    rest, labels = line[match.end():], {}
    if rest.startswith("{"):
        end = re.match(r'\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\}', rest)
        demand(end and end[1], line, "labels in braces are wanted")
        labels, rest = read_labels(end[1], line), rest[end.end():]
    demand(rest.startswith(" ") and NUMBER.fullmatch(rest[1:]), line, "one blank and a number are wanted")
    return match[0], labels, float(rest[1:].replace("Inf", "inf"))


def check_histogram(family: Family):
    series: dict[frozenset, list] = {}
    for (name, pairs), value in family.samples.items():
        labels = dict(pairs)
        bound = labels.pop("le", None)
        demand((bound is not None) == name.endswith("_bucket"), name, "le belongs to buckets")
        series.setdefault(frozenset(labels.items()), []).append((name, bound, value))
    for samples in series.values():
        buckets = [(float(bound.replace("Inf", "inf")), value) for name, bound, value in samples if bound is not None]
        rest = {name: value for name, bound, value in samples if bound is None}
        demand(buckets == sorted(buckets) and len({bound for bound, _ in buckets}) == len(buckets), family.name,
               "buckets ascend")
        demand([value for _, value in buckets] == sorted(value for _, value in buckets), family.name, "and add up")
        demand(buckets[-1] == (float("inf"), rest[f"{family.name}_count"]), family.name, "+Inf is the count")
        demand(set(rest) == {f"{family.name}_count", f"{family.name}_sum"}, family.name, "a sum and a count are wanted")


def parse(text: bytes) -> dict[str, Family]:
    """The families by their names; raises Malformed."""
    lines = text.decode("utf-8", errors="strict").split("\n")
    demand(lines.pop() == "", "", "the last line ends with LF")
    families: dict[str, Family] = {}
    family = None
    for line in lines:
        demand("\r" not in line and line == line.strip() and line, line, "a line without CR or blanks around it")
        if line.startswith("# HELP "):
            name, _, text_of = line.removeprefix("# HELP ").partition(" ")
            demand(NAME.fullmatch(name) and name not in families, line, "all lines of a name stand together")
            family = families[name] = Family(name, unescape(text_of, False, line))
        elif line.startswith("# TYPE "):
            words = line.split(" ")
            demand(len(words) == 4 and family and words[2] == family.name and not family.kind and not family.samples,
                   line, "TYPE once, before the samples, for the name of HELP")
            demand(words[3] in KINDS, line, "a kind is wanted")
            demand((words[3] == "counter") == family.name.endswith("_total"), line, "counters alone end in _total")
            family.kind = words[3]
        else:
            demand(not line.startswith("#"), line, "no such comment")
            name, labels, value = read_sample(line)
            suffixes = ("_bucket", "_sum", "_count") if family and family.kind == "histogram" else ("",)
            demand(family and name in [family.name + suffix for suffix in suffixes], line, "samples stand by their name")
            demand((name, frozenset(labels.items())) not in family.samples, line, "each sample is there once")
            demand(family.kind == "gauge" or value >= 0, line, "it counts upwards")
            family.samples[(name, frozenset(labels.items()))] = value
    for one in families.values():
        demand(one.kind and one.help, one.name, "HELP and TYPE are wanted")
        if one.kind == "histogram":
            check_histogram(one)
    return families
