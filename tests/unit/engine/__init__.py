"""The engine over memory stores and small fakes of the two systems."""
