"""Read, decide, perform; errors become outcomes.

deliver: one message in, one outcome out. alignment: one record brought into line under a claim. optouts, timeline:
the other lanes' work. intake: row events → hints. checks, optout_file, egress: the timers' work.
"""
