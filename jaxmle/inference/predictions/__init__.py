"""What a fitted regression predicts, and how that moves."""
