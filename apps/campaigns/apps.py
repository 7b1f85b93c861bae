from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "apps.campaigns"

    def ready(self) -> None:
        from apps.audience.segments.reach import on_reach
        from apps.campaigns.reaching import Reacher
        from apps.dispatch import bells

        on_reach(Reacher())

        # its work is not the ledger's: the bell of this queue calls a task of its own
        bells.TASKS["campaigns"] = "campaigns.run"
