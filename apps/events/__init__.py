"""What can happen: the catalogue of event types with their category, template, channels and windows.

Must not know people or deliveries.

Public: selectors, services.
"""
