"""The doors of campaigns for programs."""
