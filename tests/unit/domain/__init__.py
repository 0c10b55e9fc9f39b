"""The vocabulary and its rules, without a world."""
