"""Who else wants to know: endpoints of tenants that are told what became of their messages, and every attempt to tell them.

Must not change anything in other rooms, nor call an address of our own network. Doors: /v1/webhook-endpoints, the tasks webhooks.send
and webhooks.forget_old.
"""
