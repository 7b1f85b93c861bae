"""Who is calling and how much they may: tenants, API keys, guest lists, authentication, throttles.

Must not know what is sent, or to whom.

Public: authentication (ApiKeyAuthentication, caller_of), permissions (HasScope), throttles (charge), selectors, services.
"""
