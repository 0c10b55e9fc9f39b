"""The stores behind the ports: tables, queues, files, the clock, and fakes of them that live in memory."""
