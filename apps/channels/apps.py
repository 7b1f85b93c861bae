from django.apps import AppConfig
from django.core import checks


class ChannelsConfig(AppConfig):
    name = "apps.channels"

    def ready(self) -> None:
        from apps.channels.checks import sandbox_has_a_secret
        from apps.core.sealed import register

        checks.register(sandbox_has_a_secret)
        register("channels.ProviderAccount", "sealed")
