"""The queue: what runs, waits and ended, and the processes that do it."""
