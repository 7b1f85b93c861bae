"""The in-app feed: items, counts, seen and read, the live stream.

Must not know other channels.
"""
