"""The pages of the people we write to: their settings, unsubscribing, what they were sent and why, a mail in the browser.

Opened by a signed link (preferences/links.py) or the tenant's own recipient token; must not send anything and knows no provider.
"""
