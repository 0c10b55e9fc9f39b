"""How fast the function app is, as ratios to a bare HTTP loop that sends the same requests; see docs/bench.md."""
