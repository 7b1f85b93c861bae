"""The numbers of a run as its page shows them: data for the templates, and nothing else."""

from dataclasses import dataclass

from apps.campaigns.results import Results, Totals, VariantResult


@dataclass(frozen=True, slots=True)
class Figure:
    """`what`: whom the number is about, for the page of people. `percent`: of the sent ones, or of all. `said`: that in words."""

    name: str
    count: int
    what: str
    percent: float
    said: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """`cells`: (name, people, share, interval) of what was delivered, opened, clicked."""

    result: VariantResult
    cells: tuple[tuple[str, int, str, str], ...]
    opt_outs: str


def figures(found: Results) -> list[Figure]:
    totals, audience = found.totals, found.progress.audience
    failed = sum(fate.count for fate in found.failed)
    rate = totals.opt_outs_per_thousand
    opt_outs = "nothing was sent" if rate is None else f"{rate:.1f} per 1,000 sent"
    return [
        Figure(
            "Sent",
            totals.sent,
            "sent",
            _percent(totals.sent, audience),
            f"{_percent(totals.sent, audience):.1f} % of all",
        ),
        _of_sent("Delivered", totals, "delivered", "of-arrivals"),
        _of_sent("Opened, estimated", totals, "opened"),
        _of_sent("Clicked", totals, "clicked"),
        Figure(
            "Opted out",
            totals.unsubscribed,
            "unsubscribed",
            _percent(totals.unsubscribed, totals.sent),
            opt_outs,
            "of-failures",
        ),
        _of_sent("Complained", totals, "complained", "of-failures"),
        Figure(
            "Failed",
            failed,
            "trouble",
            _percent(failed, audience),
            f"{_percent(failed, audience):.1f} % of all",
            "of-failures",
        ),
    ]


def others(found: Results) -> list[tuple[str, str, int]]:
    """Those of the audience who have no message: what became of them, in a word, how many."""
    run, is_over = found.progress, found.progress.is_over
    return [
        ("Nothing decided yet.", "read", found.undecided),
        ("Held out on purpose, to compare with.", "held out", run.held_out),
        ("They have it already.", "repeated", run.repeated),
        ("On their clock the time was over.", "left out", run.left_out),
        (
            "They left the audience, or it was cancelled before their turn." if is_over else "Their turn comes.",
            "not reached" if is_over else "waiting",
            found.not_reached,
        ),
    ]


def shown(one: VariantResult) -> Shown:
    rate = one.totals.opt_outs_per_thousand
    cells = tuple(_cell(one.totals, name) for name in ("delivered", "opened", "clicked"))
    return Shown(one, cells, "-" if rate is None else f"{rate:.1f}")


def _cell(totals: Totals, name: str) -> tuple[str, int, str, str]:
    share, span = totals.share(name), totals.interval(name)
    called, count = name.capitalize(), getattr(totals, name)
    if share is None or span is None:
        return called, count, "", ""
    return called, count, f"{share:.1%}", f"{span.low * 100:.1f} to {span.high:.1%}"


def _of_sent(name: str, totals: Totals, what: str, tone: str = "") -> Figure:
    count: int = getattr(totals, what)
    percent = _percent(count, totals.sent)
    return Figure(
        name, count, what, percent, f"{percent:.1f} % of the sent" if totals.sent else "nothing was sent", tone
    )


def _percent(count: int, of: int) -> float:
    return 100 * count / of if of else 0.0
