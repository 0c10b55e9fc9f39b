"""Facts about Adobe Campaign Standard, held by the stand-in over real HTTP."""
