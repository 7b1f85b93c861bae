from django.apps import AppConfig


class SchedulesConfig(AppConfig):
    name = "apps.schedules"

    def ready(self) -> None:
        from apps.audience.forgetting import on_forget
        from apps.core import sealed
        from apps.dispatch import bells
        from apps.schedules.keeping import forget_person
        from apps.schedules.template_use import payloads, uses
        from apps.templates.payloads import on_payloads
        from apps.templates.usage import on_usage

        sealed.register("schedules.Schedule", "sealed")
        sealed.register("schedules.ScheduleRecipient", "sealed")
        on_forget(forget_person)
        on_payloads(payloads)
        on_usage(uses)
        # its work is not the ledger's: the bell of this queue calls a task of its own
        bells.TASKS["schedules"] = "schedules.fire"
