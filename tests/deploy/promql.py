"""The subset of PromQL that the alert rules use, evaluated over scrapes of real programs.

    rules: expression > number; time() - x; a / b; sum(x), max(x), sum by (le) (x), rate(x[10m]), histogram_quantile(q,
    x), selectors

Every value is a vector of (labels, value). As in Prometheus, a comparison keeps the elements that satisfy it, and
division by zero gives NaN. A metric without samples is an empty vector, which satisfies nothing. Any other syntax is a
SyntaxError.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

Labels = frozenset[tuple[str, str]]
Vector = list[tuple[Labels, float]]

_TOKEN = re.compile(r'\s*(?:(\d+(?:\.\d+)?[smhd]?)|([A-Za-z_:][\w:]*)|("[^"]*")|(.))')
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True)
class Scrape:
    """The content of ``/metrics`` at an instant, in seconds."""

    at: float
    samples: dict[str, Vector]


def scrape(at: float, *expositions: bytes) -> Scrape:
    """Join the metrics of several processes at one instant."""
    samples: dict[str, Vector] = {}
    for number, text in enumerate(expositions):
        for family in text_string_to_metric_families(text.decode()):
            for one in family.samples:
                labels = frozenset({*one.labels.items(), ("instance", str(number))})
                samples.setdefault(one.name, []).append((labels, one.value))
    return Scrape(at, samples)


def evaluate(expression: str, scrapes: Sequence[Scrape]) -> Vector:
    """The vector at the last scrape. An alert fires for each element."""
    tokens = [next(part for part in match if part) for match in _TOKEN.findall(expression.strip())]
    parser = _Parser(tokens, scrapes)
    found = parser.comparison()
    if parser.tokens:
        raise SyntaxError(f"behind the expression: {parser.tokens}")
    return found


class _Parser:
    def __init__(self, tokens: list[str], scrapes: Sequence[Scrape]) -> None:
        self.tokens = tokens
        self.scrapes = scrapes

    def take(self, wanted: str = "") -> str:
        if not self.tokens or (wanted and self.tokens[0] != wanted):
            raise SyntaxError(f"wanted {wanted!r} at {self.tokens[:3]}")
        return self.tokens.pop(0)

    def comparison(self) -> Vector:
        left = self.age() if self.tokens[:1] == ["time"] else self.division()
        self.take(">")
        bound = float(self.take())
        return [(labels, value) for labels, value in left if value > bound]

    def age(self) -> Vector:
        for token in ("time", "(", ")", "-"):
            self.take(token)
        return [(labels, self.scrapes[-1].at - value) for labels, value in self.operand()]

    def division(self) -> Vector:
        left = self.operand()
        while self.tokens and self.tokens[0] == "/":
            self.take()
            below = dict(self.operand())
            left = [
                (labels, value / below[labels] if below[labels] else math.nan)
                for labels, value in left
                if labels in below
            ]
        return left

    def operand(self) -> Vector:
        name = self.take()
        functions: dict[str, Callable[[], Vector]] = {
            "sum": lambda: self.aggregate(sum),
            "max": lambda: self.aggregate(max),
            "rate": self.rate,
            "histogram_quantile": self.quantile,
        }
        if name in functions:
            return functions[name]()
        return self.select(name, self.scrapes[-1])

    def aggregate(self, reduce: Callable[[Sequence[float]], float]) -> Vector:
        kept: set[str] = set()
        if self.tokens[0] == "by":
            self.take()
            self.take("(")
            kept.add(self.take())
            self.take(")")
        self.take("(")
        groups: dict[Labels, list[float]] = {}
        for labels, value in self.operand():
            groups.setdefault(frozenset(one for one in labels if one[0] in kept), []).append(value)
        self.take(")")
        return [(labels, reduce(values)) for labels, values in groups.items()]

    def rate(self) -> Vector:
        self.take("(")
        name, wanted = self.take(), self.filters()
        self.take("[")
        span = self.take()
        seconds = float(span[:-1]) * _UNITS[span[-1]]
        self.take("]")
        self.take(")")
        last = self.scrapes[-1]
        within = [one for one in self.scrapes if last.at - one.at <= seconds]
        first = dict(_matching(within[0], name, wanted))
        # A counter that did not exist yet started at zero.
        return [
            (labels, (value - first.get(labels, 0.0)) / (last.at - within[0].at))
            for labels, value in _matching(last, name, wanted)
        ]

    def quantile(self) -> Vector:
        self.take("(")
        share = float(self.take())
        self.take(",")
        buckets = sorted((float(dict(labels)["le"]), value) for labels, value in self.operand())
        self.take(")")
        total = buckets[-1][1] if buckets else 0.0
        if not total:
            return []
        lower, below = 0.0, 0.0
        for bound, value in buckets:
            if value >= share * total:
                inside = (share * total - below) / (value - below) if value > below else 0.0
                return [(frozenset(), lower if math.isinf(bound) else lower + (bound - lower) * inside)]
            lower, below = bound, value
        raise AssertionError("a histogram ends with +Inf")

    def select(self, name: str, at: Scrape) -> Vector:
        return _matching(at, name, self.filters())

    def filters(self) -> dict[str, str]:
        wanted: dict[str, str] = {}
        if self.tokens and self.tokens[0] == "{":
            self.take()
            while self.tokens[0] != "}":
                label = self.take()
                self.take("=")
                wanted[label] = self.take().strip('"')
                if self.tokens[0] == ",":
                    self.take()
            self.take()
        return wanted


def _matching(at: Scrape, name: str, wanted: dict[str, str]) -> Vector:
    found = at.samples.get(name, [])
    return [(labels, value) for labels, value in found if wanted.items() <= dict(labels).items()]
