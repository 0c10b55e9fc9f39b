"""A story that people in both systems live through, and what must be true at the end of each chapter."""
