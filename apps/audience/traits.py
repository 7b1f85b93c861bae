"""What is asked of many people at once, as SQL for the statements of others: this table is read here and nowhere else."""

TRAITS = """SELECT id AS recipient_id, user_id, locale, timezone FROM audience_recipient WHERE tenant_id = %(tenant)s"""
"""Of all people of a tenant; who was forgotten is missing."""
