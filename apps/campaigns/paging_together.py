"""A page whose people stay in PostgreSQL: counted by likeness, decided on by likeness, written by one statement; those who are like nobody
are decided on one by one beside it."""

from datetime import datetime
from typing import Any

from apps.audience import campaign_pages as pages
from apps.audience.segments.compiling import Condition
from apps.campaigns.counted import Counted
from apps.campaigns.lifecycle import WaveKind
from apps.campaigns.splitting import SHARE_SQL, VARIANT_SQL, Purpose, bounds_of, cut_of, salt_of
from apps.dispatch.alike import decide_alike
from apps.dispatch.broadcasting import Invited, decide_page
from apps.ledger.broadcasts import Broadcast, begin_of
from apps.ledger.campaign_pages import Frame, write_alike, write_page
from apps.preferences.choosing import CHOSEN_SQL
from apps.preferences.selectors import VETOED_SQL


def together(
    run: Any, wave: Any, frame: Frame, broadcast: Broadcast, condition: Condition, now: datetime, size: int
) -> Counted:
    """In the page's transaction."""
    filled = pages.fill(_asked(run, wave, frame, condition), after=wave.cursor or wave.first, upto=wave.upto, size=size)
    judged = decide_alike(frame, broadcast, pages.likenesses(), now)
    made, queues = 0, frozenset[str]()
    if judged and judged.apart:
        pages.set_apart(judged.apart)
    if judged and judged.alike:
        templates = {number: content.template_key for number, content in broadcast.contents.items()}
        written = write_alike(frame, templates, judged.alike)
        made, queues = written.notifications, written.queues
    if others := [Invited(*one) for one in pages.specials(all_of_them=judged is None)]:
        rest = write_page(frame, decide_page(frame, broadcast, others, now))
        made, queues = made + rest.notifications, queues | rest.queues
    return Counted(filled.people, made, filled.held_out, 0, filled.last, queues)


def _asked(run: Any, wave: Any, frame: Frame, condition: Condition) -> pages.Asked:
    definition = run.definition
    parameters: dict[str, Any] = {}
    share, held_out = "0", 0
    if percent := definition.get("holdout"):
        share, held_out = SHARE_SQL.format(id="r.id", salt="%(holdout_salt)s"), cut_of(percent)
        parameters["holdout_salt"] = salt_of(run.campaign_id, Purpose.HOLDOUT)
    positions = [variant["position"] for variant in definition["variants"]]
    if wave.kind == WaveKind.REST and run.winner is not None:
        positions = [run.winner]
    variant = "%(position)s::int"
    parameters["position"] = positions[0]
    if len(positions) > 1:
        number = SHARE_SQL.format(id="p.id", salt="%(variant_salt)s")
        chosen = VARIANT_SQL.format(share=number, bounds="%(variant_bounds)s::bigint[]")
        variant = f"(%(positions)s::int[])[1 + {chosen}]"
        weights = [variant["weight"] for variant in definition["variants"]]
        parameters |= {
            "variant_salt": salt_of(run.campaign_id, Purpose.VARIANT),
            "variant_bounds": list(bounds_of(weights)),
            "positions": positions,
        }
    return pages.Asked(
        tenant_id=run.tenant_id,
        condition=condition,
        channels=frame.channels,
        share=share,
        variant=variant,
        chosen=CHOSEN_SQL,
        vetoed=VETOED_SQL,
        begin=begin_of(frame.stamp),
        broadcast=frame.broadcast_id,
        cuts=frame.cuts,
        parameters=parameters,
        held_out=held_out,
    )
