"""`make drill`: the system beside simulated providers that fail as real ones do, and what held, by the providers' own records."""
