"""Profile likelihood: its ends, its curve, and sections through the log-posterior."""
