"""Floor 3: people. Subjects, the queue, the browser page, REST. Imports eval and trainer, below."""
