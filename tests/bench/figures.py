"""figures - the best of several runs, and the table that shows them."""
import sys

WIDTH = 62


def say(text):
    """How far it is, on standard error."""
    print(f"  … {text}", file=sys.stderr, flush=True)


class Figures:
    """By name the best value so far; and what went wrong, which makes all figures worthless."""

    def __init__(self):
        self.best = {}
        self.faults = []

    def add(self, name, value, least=False):
        """Returns whether it is the best so far."""
        say(f"{name}: {number(value)}")
        old = self.best.get(name)
        is_best = old is None or (value < old if least else value > old)
        if is_best:
            self.best[name] = value
        return is_best

    def fault(self, text):
        say(f"FAULT: {text}")
        self.faults.append(text)

    def ratio(self, a, b):
        return self.best[a] / self.best[b] if self.best.get(a) and self.best.get(b) else None


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"


def row(what, value, want="", is_good=None):
    print(f"  {what:<{WIDTH}} {value:>14}   {want:<20}{'' if is_good is None else 'ok' if is_good else 'MISSED'}".rstrip())


def value_row(what, value, want=None, least=False):
    """A line, unless it was not measured; with the bound that DESIGN.md sets."""
    if value is None:
        return
    if want is None:
        row(what, number(value))
    else:
        row(what, number(value), f"{'at most' if least else 'at least'} {want:,}", value <= want if least else value >= want)


def title(text, right=""):
    print(f"\n{text:<{WIDTH + 20}}{right}".rstrip())
