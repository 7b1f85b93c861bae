"""What people chose, what the tenant allows, which addresses are vetoed: over HTTP."""
