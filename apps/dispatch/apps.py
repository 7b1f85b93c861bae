from django.apps import AppConfig


class DispatchConfig(AppConfig):
    name = "apps.dispatch"

    def ready(self) -> None:
        from apps.audience.new_times import on_new_times
        from apps.dispatch.engagement import note_engagement
        from apps.dispatch.payloads import payloads, uses
        from apps.dispatch.waking import wake
        from apps.inbox.engagement import on_engagement
        from apps.templates.payloads import on_payloads
        from apps.templates.usage import on_usage

        on_engagement(note_engagement)
        on_new_times(wake)
        on_payloads(payloads)
        on_usage(uses)
