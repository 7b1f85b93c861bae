"""What we say: templates, immutable published versions, layouts, rendering.

Must not know who decides or who carries it. Doors: `rendering` (published, context_of, render, render_inline, RenderError),
`services` (save_draft, publish, rollback, publish_changes), `selectors.has_published`, `sms.count`, /v1/templates.
"""
