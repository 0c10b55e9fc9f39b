"""Adobe Campaign Standard: its REST API behind the gateway, its tokens, and the journal of its e-mail events."""
