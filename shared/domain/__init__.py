"""What the bridge talks about: changes, facts, contacts, the ledger, effects and the mapping. No I/O, no clock."""
