from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "apps.campaigns"

    def ready(self) -> None:
        from apps.audience.segments.fields import on_usage as on_segment_usage
        from apps.audience.segments.reach import on_reach
        from apps.campaigns import usage
        from apps.campaigns.reaching import Reacher
        from apps.dispatch import bells
        from apps.templates.payloads import on_payloads
        from apps.templates.usage import on_usage

        on_reach(Reacher())
        on_segment_usage(usage.segments_used)
        on_usage(usage.templates_used)
        on_payloads(usage.payloads)

        # its work is not the ledger's: the bell of this queue calls a task of its own
        bells.TASKS["campaigns"] = "campaigns.run"
