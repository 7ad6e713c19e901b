"""What a trained run has learnt, looked at: walks through its codes, classes, truncation, features of D."""
