"""What we say: templates, immutable published versions, layouts, rendering.

Must not know who decides or who carries it.
"""
