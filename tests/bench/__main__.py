"""`python -m tests.bench [--only NAME ...] [--quick]`: measure, print a table, write build/bench.json.

Besides the names of NAMES: `send_<provider>` and `memory_<provider>` for one of them.
"""

import argparse
import os
import sys
import time

from tests.bench.results import Result, table, write
from tests.bench.world import PROJECT, World, service, world

NAMES = (
    "decide",
    "decide_all_rules",
    "listening",
    "scheduling",
    "segments",
    "importing",
    "campaigning",
    "providers",
    "provider_memory",
    "end_to_end",
    "end_to_end_rules",
    "ledger",
    "accept_single",
    "accept_batch",
    "critical_latency",
    "campaign_end_to_end",
    "critical_beside_campaign",
    "receipts",
    "memory",
)

PROVIDERS = (
    *("apns", "fcm", "webpush", "twilio", "whatsapp", "vonage"),
    *("postmark", "sendgrid", "mailgun", "ses", "smtp"),
)
WATCHED = ("apns", "twilio")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=(*NAMES, *_of_providers()), default=NAMES, metavar="NAME", help="these"
    )
    parser.add_argument("--sends", type=int, default=100_000, help="for `memory_<provider>`")
    parser.add_argument("--quick", action="store_true", help="one short run each: to see that it works, not to quote")
    options = parser.parse_args()
    began = time.monotonic()
    with world() as made:
        results = _measured(made, options.only, options.quick, options.sends)
    results["machine"] = {"cores": os.cpu_count(), "load_average": os.getloadavg()[0]} | _EMPTY
    write(PROJECT / "build" / "bench.json", {"machine": results.pop("machine")})
    sys.stdout.write(f"\n{table(results)}\n\n{time.monotonic() - began:.0f} s; load average {os.getloadavg()[0]:.1f}\n")
    return 0


_EMPTY: Result = {"ours": None, "baseline": None, "ratio": None, "unit": ""}


def _measured(made: World, only: list[str], quick: bool, sends: int) -> dict[str, Result]:
    """In this order: what comes later works on what came before."""
    import django

    django.setup()
    from django.core.management import call_command

    from tests.bench import (
        accepting,
        campaign_sending,
        campaigning,
        cast,
        delivering,
        importing,
        listening,
        provider_memory,
        providers,
        receiving,
        ruling,
        scheduling,
        segments,
        sizes,
        urgent,
    )

    call_command("migrate", interactive=False, verbosity=0)
    results: dict[str, Result] = {}
    if "importing" in only:
        # it empties the tables of people after each run
        _say("importing", results, importing.importing(made, quick))
    invited = cast.invite()
    if "decide" in only:
        _say("decide", results, {"decide": sizes.decisions(quick)})
    if "decide_all_rules" in only:
        _say("decide_all_rules", results, {"decide_all_rules": ruling.decisions(quick)})
    if "listening" in only:
        _say("listening", results, listening.listening(quick))
    if "scheduling" in only:
        _say("scheduling", results, scheduling.scheduling(quick))
    if "segments" in only:
        _say("segments", results, segments.counting(quick))
    if "campaigning" in only:
        _say("campaigning", results, campaigning.campaigning(quick))
    sent = [name for name in PROVIDERS if "providers" in only or f"send_{name}" in only]
    watched = [name for name in PROVIDERS if f"memory_{name}" in only]
    if "provider_memory" in only and not quick:
        watched += [name for name in WATCHED if name not in watched]
    for name in sent:
        _say(name, results, providers.providers(made, [name], quick))
    for name in watched:
        _say(name, results, provider_memory.memory(made, [name], sends))
    if not set(only) - {
        "decide",
        "decide_all_rules",
        "listening",
        "scheduling",
        "segments",
        "importing",
        "campaigning",
        "providers",
        "provider_memory",
        *_of_providers(),
    }:
        return results
    with made.running(*service(made)):
        if "end_to_end" in only:
            _say("end_to_end", results, {"end_to_end": delivering.end_to_end(made, invited, quick)})
        if "end_to_end_rules" in only:
            _say("end_to_end_rules", results, {"end_to_end_rules": ruling.end_to_end_rules(made, invited, quick)})
        if "ledger" in only:
            _say("ledger", results, {"ledger": sizes.ledger_bytes()})
        if "accept_single" in only:
            _say("accept_single", results, {"accept_single": accepting.accept_single(made, invited, quick)})
        if "accept_batch" in only:
            _say("accept_batch", results, {"accept_batch": accepting.accept_batch(made, invited, quick)})
        if "critical_latency" in only:
            _say("critical_latency", results, urgent.critical_latency(made, invited, quick))
        if "campaign_end_to_end" in only:
            _say("campaign_end_to_end", results, campaign_sending.campaign_end_to_end(made, quick))
        if "critical_beside_campaign" in only:
            beside = campaign_sending.critical_beside_campaign(made, invited, quick)
            _say("critical_beside_campaign", results, beside)
        if "receipts" in only:
            _say("receipts", results, receiving.receipts(made, quick))
        if "memory" in only:
            _say("memory", results, {"memory": sizes.memory(made)})
    return results


def _of_providers() -> list[str]:
    return [f"{kind}_{name}" for kind in ("send", "memory") for name in PROVIDERS]


def _say(name: str, results: dict[str, Result], found: dict[str, Result]) -> None:
    results |= found
    write(PROJECT / "build" / "bench.json", found)
    said = ", ".join(f"{key} {value['ours']:,} {value['unit']}" for key, value in found.items())
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {said} (load {os.getloadavg()[0]:.1f})\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
