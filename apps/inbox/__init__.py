"""The in-app feed: items, counts, seen and read, the live stream.

Must not know other channels.
Doors for other apps: services (add_items, poke), selectors (unread_counts), engagement (on_engagement).
Processes: api (WSGI), stream and hub (ASGI); pokes is what passes between them.
"""
