"""May we, when, how often: what people chose, what tenants lay down, suppressed addresses, and who said what when.

Must not know providers or templates.
Doors for other apps: changing (change_choices: the only way to change what people chose), choosing (choices, rules_of), weighing (what
holds where several have a word), topics, selectors (suppressed), services (suppress, switch_off), opt_outs, proving, links.
"""
