"""What the composer asks about trying variants, about times and rates, and about limits."""

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from apps.campaigns.forms import PartForm
from apps.core.locales import timezone_names
from apps.core.problems import Problem
from apps.schedules.timing import RECIPIENT

OWN = "own"
EVERY = [
    ("FREQ=DAILY", "every day"),
    ("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "every weekday"),
    ("FREQ=WEEKLY", "every week, on that weekday"),
    ("FREQ=MONTHLY", "every month, on that day"),
    (OWN, "by a rule of its own"),
]
RAMPS = [
    ("", "All at once"),
    ("0.1 1 10 100", "0.1 %, 1 %, 10 %, then everybody"),
    ("1 10 100", "1 %, 10 %, then everybody"),
    ("10 100", "10 %, then everybody"),
    (OWN, "Steps of its own"),
]

WAITS = ("wait", "The rest waits until somebody chooses: an alert says so.")


def zone_choices() -> list[tuple[str, str]]:
    return [(RECIPIENT, "everybody's own clock"), *((name, name) for name in timezone_names())]


class TestForm(PartForm):
    """Pytest shall not take it for tests."""

    __test__ = False
    places: Mapping[str, str] = {
        "/test/share": "share",
        "/test/wait_minutes": "wait_minutes",
        "/test/undecided": "undecided",
        "/test": "tries",
    }
    tries = forms.ChoiceField(
        label="Which variant does a person get?",
        choices=[
            ("", "Each variant its share of everybody, by weight."),
            ("1", "Try them on a part first; everybody else gets the winner."),
        ],
        required=False,
        widget=UnfoldAdminRadioSelectWidget,
    )
    share = forms.FloatField(
        label="Tried on (percent)", min_value=1, max_value=90, required=False, widget=UnfoldAdminDecimalFieldWidget
    )
    metric = forms.ChoiceField(
        label="The better one is",
        choices=[
            ("clicked", "clicked by more"),
            ("opened", "opened by more (machines that open mails are not counted)"),
            ("delivered", "delivered to more without an opt-out"),
        ],
        widget=UnfoldAdminSelectWidget,
    )
    wait_minutes = forms.IntegerField(
        label="Decided after (minutes)",
        min_value=5,
        max_value=20_160,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    rule = forms.ChoiceField(
        label="Who decides",
        choices=[
            ("automatic", "By itself, if one is the best with at least 95 % probability."),
            ("by_hand", "Somebody, by hand."),
        ],
        widget=UnfoldAdminRadioSelectWidget,
    )
    undecided = forms.ChoiceField(
        label="If none is clearly the best by then",
        choices=[WAITS, ("first", "The rest gets the first variant.")],
        required=False,
        widget=UnfoldAdminRadioSelectWidget,
    )
    holdout = forms.IntegerField(
        label="Get nothing (percent)",
        min_value=0,
        max_value=50,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="A group to compare with, chosen by a stable hash: the same people each time.",
    )

    def __init__(self, data: Any, *, row: Any, variants: Sequence[Any]) -> None:
        test = row.test or {}
        initial = {
            "tries": "1" if test else "",
            "share": test.get("share", 20),
            "metric": test.get("metric", "clicked"),
            "wait_minutes": test.get("wait_minutes", 240),
            "rule": test.get("rule", "automatic"),
            "undecided": test.get("undecided", "wait"),
            "holdout": row.holdout,
        }
        super().__init__(data, initial=initial)
        self._rows = list(variants)
        if self._rows:
            first = f"The rest gets the first variant, {self._rows[0].name}."
            self.fields["undecided"].choices = [WAITS, ("first", first)]  # type: ignore[attr-defined]
        for place, variant in enumerate(self._rows):
            self.fields[f"w{place}"] = forms.IntegerField(
                label=f"Weight of {variant.name}",
                min_value=1,
                max_value=100,
                initial=variant.weight,
                widget=UnfoldAdminIntegerFieldWidget,
            )

    def said(self) -> dict[str, Any]:
        given = self.cleaned_data
        test = None
        if given["tries"]:
            test = {"metric": given["metric"], "rule": given["rule"]}
            test["undecided"] = (given["rule"] == "automatic" and given["undecided"]) or "wait"
            test |= {name: given[name] for name in ("share", "wait_minutes") if given[name] is not None}
        variants = [
            {"name": row.name, "template_key": row.template_key, "weight": given[f"w{place}"]}
            for place, row in enumerate(self._rows)
        ]
        return {"test": test, "holdout": given["holdout"] or 0, "variants": variants}


class DeliveryForm(PartForm):
    places: Mapping[str, str] = {
        **{f"/schedule/{name}": name for name in ("kind", "start", "zone", "rule", "exdates", "past")},
        "/expires_after_minutes": "expires",
    }
    kind = forms.ChoiceField(
        label="It is sent",
        choices=[("now", "As soon as it is launched"), ("at", "At a time"), ("recurring", "Again and again")],
        widget=UnfoldAdminRadioSelectWidget,
    )
    start = forms.CharField(
        label="At", required=False, max_length=19, widget=UnfoldAdminTextInputWidget({"type": "datetime-local"})
    )
    zone = forms.ChoiceField(label="On whose clock", choices=zone_choices, widget=UnfoldAdminSelectWidget)
    every = forms.ChoiceField(label="How often", choices=EVERY, required=False, widget=UnfoldAdminSelectWidget)
    rule = forms.CharField(
        label="Rule",
        required=False,
        max_length=500,
        widget=UnfoldAdminTextInputWidget({"spellcheck": "false"}),
        help_text="RFC 5545: FREQ=WEEKLY;BYDAY=MO,FR;UNTIL=20271231.",
    )
    exdates = forms.CharField(
        label="Not at",
        required=False,
        widget=UnfoldAdminTextareaWidget({"rows": 2, "spellcheck": "false"}),
        help_text="Dates or times, one a line: 2027-12-24.",
    )
    past = forms.ChoiceField(
        label="Where the time is over when it is launched",
        choices=[("send", "send at once"), ("next_day", "send a day later"), ("skip", "send nothing")],
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    throttle = forms.IntegerField(
        label="People a minute",
        min_value=0,
        max_value=10_000_000,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Empty: as fast as it goes.",
    )
    ramp = forms.ChoiceField(label="Ramp", choices=RAMPS, required=False, widget=UnfoldAdminSelectWidget)
    ramp_own = forms.CharField(
        label="Steps (percent)",
        required=False,
        max_length=100,
        widget=UnfoldAdminTextInputWidget,
        help_text="Rising, the last is 100: 1 5 25 100.",
    )
    ramp_minutes = forms.IntegerField(
        label="Between steps (minutes)",
        min_value=1,
        max_value=10_080,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="The brake looks at each step before the next.",
    )
    expires = forms.IntegerField(
        label="Too late after (minutes)",
        min_value=1,
        max_value=366 * 1440,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="From its time on. What could not be sent by then is never sent. Empty: it does not expire.",
    )
    send_once_key = forms.CharField(
        label="Send-once key",
        required=False,
        max_length=100,
        widget=UnfoldAdminTextInputWidget({"spellcheck": "false"}),
        help_text="Nobody gets two campaigns that have the same one: spring-2027.",
    )

    def __init__(self, data: Any, *, row: Any, default_zone: str) -> None:
        schedule = row.schedule or {}
        rule, ramp = schedule.get("rule", ""), " ".join(f"{step:g}" for step in row.ramp)
        is_known = rule in dict(EVERY)
        initial = {
            "kind": schedule.get("kind", "now"),
            "start": schedule.get("start", "")[:16],
            "zone": schedule.get("zone", default_zone),
            "every": rule if is_known else OWN if rule else EVERY[0][0],
            "rule": rule,
            "exdates": "\n".join(schedule.get("exdates", [])),
            "past": schedule.get("past", "send"),
            "throttle": row.throttle or None,
            "ramp": ramp if ramp in dict(RAMPS) else OWN,
            "ramp_own": ramp,
            "ramp_minutes": row.ramp_minutes,
            "expires": None if row.expires_after is None else int(row.expires_after.total_seconds() // 60),
            "send_once_key": row.send_once_key,
        }
        super().__init__(data, initial=initial)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        try:
            self._steps = [float(text.rstrip("%")) for text in self._ramp(given).replace(",", " ").split()]
        except ValueError:
            self.add_error("ramp_own", "Numbers, with spaces between them: 1 5 25 100.")
        return given

    def _ramp(self, given: Mapping[str, Any]) -> str:
        return str(given.get("ramp_own" if given.get("ramp") == OWN else "ramp") or "")

    def said(self) -> dict[str, Any]:
        given = self.cleaned_data
        schedule: dict[str, Any] = {"kind": given["kind"]}
        if given["kind"] != "now":
            schedule |= {name: given[name] for name in ("start", "zone")} | {"past": given["past"] or "send"}
        if given["kind"] == "recurring":
            schedule["rule"] = given["rule"].strip() if given["every"] in ("", OWN) else given["every"]
            schedule["exdates"] = given["exdates"].split()
        said: dict[str, Any] = {
            "schedule": schedule,
            "throttle": given["throttle"] or 0,
            "ramp": self._steps,
            "expires_after_minutes": given["expires"],
            "send_once_key": given["send_once_key"].strip(),
        }
        return said | ({"ramp_minutes": given["ramp_minutes"]} if given["ramp_minutes"] is not None else {})

    def explain(self, problem: Problem) -> None:
        if self.cleaned_data.get("ramp") == OWN:
            self.places = {**self.places, "/ramp": "ramp_own"}
        super().explain(problem)
