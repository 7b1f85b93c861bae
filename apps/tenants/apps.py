from django.apps import AppConfig
from django.core.checks import Tags, register


class TenantsConfig(AppConfig):
    name = "apps.tenants"

    def ready(self) -> None:
        from apps.tenants.checks import views_name_their_scopes

        register(views_name_their_scopes, Tags.security)
