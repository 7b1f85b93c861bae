"""Demo Rides' marketing: 50,000 people, what is said to them, and campaigns in every state. `manage.py seed_campaigns` makes it."""
