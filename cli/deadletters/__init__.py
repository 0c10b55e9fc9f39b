"""The dead-letter desk: what waits for a person, chosen, grouped, forecast, edited, replayed and discarded."""
